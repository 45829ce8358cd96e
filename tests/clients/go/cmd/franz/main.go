// Command franz is franz-go as an agent.
package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafscale/tests/clients/agent"
)

var (
	background = context.Background()
	admin      *kadm.Client
	producers  sync.Map
	members    agent.Members[*member]
)

type member struct {
	*agent.Member
	client *kgo.Client
	done   chan struct{}
}

func client(options ...kgo.Opt) (*kgo.Client, error) {
	shared := []kgo.Opt{kgo.SeedBrokers(agent.Bootstrap()...), kgo.ClientID("franz-go")}
	return kgo.NewClient(append(shared, options...)...)
}

func codec(name string) kgo.CompressionCodec {
	switch name {
	case "gzip":
		return kgo.GzipCompression()
	case "snappy":
		return kgo.SnappyCompression()
	case "lz4":
		return kgo.Lz4Compression()
	case "zstd":
		return kgo.ZstdCompression()
	}
	return kgo.NoCompression()
}

// chosen takes a record's partition when it names one, and the default partitioner's otherwise.
func chosen() kgo.Partitioner {
	rest := kgo.StickyKeyPartitioner(nil)
	return kgo.BasicConsistentPartitioner(func(topic string) func(*kgo.Record, int) int {
		byKey := rest.ForTopic(topic)
		return func(record *kgo.Record, count int) int {
			if record.Partition >= 0 {
				return int(record.Partition)
			}
			return byKey.Partition(record, count)
		}
	})
}

func producer(args agent.Args) (*kgo.Client, error) {
	options := []kgo.Opt{kgo.RecordPartitioner(chosen())}
	key := args.Compression
	if args.Compression != "" {
		options = append(options, kgo.ProducerBatchCompression(codec(args.Compression)), kgo.ProducerLinger(20*time.Millisecond))
	}
	if args.Acks != nil {
		acks := map[int]kgo.Acks{0: kgo.NoAck(), 1: kgo.LeaderAck(), -1: kgo.AllISRAcks()}[*args.Acks]
		options = append(options, kgo.RequiredAcks(acks), kgo.DisableIdempotentWrite())
		key += string(rune('b' + *args.Acks))
	}
	if args.TimeoutMs > 0 {
		options = append(options, kgo.ProducerBatchMaxBytes(10000000), kgo.UnknownTopicRetries(1))
		options = append(options, kgo.RecordDeliveryTimeout(time.Duration(args.TimeoutMs)*time.Millisecond))
		key += " impatient"
	}
	if found, ok := producers.Load(key); ok {
		return found.(*kgo.Client), nil
	}
	made, err := client(options...)
	if err == nil {
		producers.Store(key, made)
	}
	return made, err
}

func produce(args agent.Args) (any, error) {
	cl, err := producer(args)
	if err != nil {
		return nil, err
	}
	records := make([]*kgo.Record, len(args.Records))
	for index, one := range args.Records {
		record := &kgo.Record{Topic: args.Topic, Key: one.Key, Value: one.Value, Partition: -1}
		if one.Partition != nil {
			record.Partition = *one.Partition
		}
		if one.Timestamp != nil {
			record.Timestamp = time.UnixMilli(*one.Timestamp)
		}
		for _, header := range one.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: header.Name, Value: header.Value})
		}
		records[index] = record
	}
	if err := cl.ProduceSync(background, records...).FirstErr(); err != nil {
		return nil, err
	}
	offsets := make([][2]int64, len(records))
	for index, record := range records {
		offsets[index] = [2]int64{int64(record.Partition), record.Offset}
	}
	return map[string]any{"offsets": offsets}, nil
}

func received(record *kgo.Record) agent.Record {
	headers := make([]agent.Header, len(record.Headers))
	for index, header := range record.Headers {
		headers[index] = agent.Header{Name: header.Key, Value: header.Value}
	}
	return agent.Received(record.Partition, record.Offset, record.Timestamp, record.Key, record.Value, headers)
}

func consume(args agent.Args) (any, error) {
	start := args.Start()
	from := kgo.NewOffset().AtStart()
	if start.Offset != nil {
		from = kgo.NewOffset().At(*start.Offset)
	} else if start.Timestamp != nil {
		from = kgo.NewOffset().AfterMilli(*start.Timestamp)
	}
	offsets := map[int32]kgo.Offset{}
	for partition := int32(0); partition < args.PartitionCount(); partition++ {
		offsets[partition] = from
	}
	options := []kgo.Opt{kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{args.Topic: offsets})}
	if args.Strict {
		options = append(options, kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	}
	if args.Rack != "" {
		options = append(options, kgo.Rack(args.Rack))
	}
	cl, err := client(options...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	records := []agent.Record{}
	ctx, cancel := context.WithDeadline(background, args.Deadline())
	defer cancel()
	for len(records) < args.Count && ctx.Err() == nil {
		fetches := cl.PollFetches(ctx)
		for _, failure := range fetches.Errors() {
			if !errors.Is(failure.Err, context.DeadlineExceeded) {
				return nil, failure.Err
			}
		}
		fetches.EachRecord(func(record *kgo.Record) { records = append(records, received(record)) })
	}
	return records, nil
}

func groupOpen(args agent.Args) (any, error) {
	m := &member{Member: agent.NewMember(args.Topic), done: make(chan struct{})}
	revoked := func(_ context.Context, _ *kgo.Client, lost map[string][]int32) { m.Revoke(lost[args.Topic]) }
	options := []kgo.Opt{
		kgo.ConsumerGroup(args.Group),
		kgo.ConsumeTopics(args.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.HeartbeatInterval(500 * time.Millisecond),
		kgo.SessionTimeout(10 * time.Second),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) {
			m.Assign(got[args.Topic])
		}),
		kgo.OnPartitionsRevoked(revoked),
		kgo.OnPartitionsLost(revoked),
	}
	balancers := map[string]kgo.GroupBalancer{
		"range":              kgo.RangeBalancer(),
		"roundrobin":         kgo.RoundRobinBalancer(),
		"sticky":             kgo.StickyBalancer(),
		"cooperative-sticky": kgo.CooperativeStickyBalancer(),
	}
	if args.Assignor != "" {
		options = append(options, kgo.Balancers(balancers[args.Assignor]))
	}
	if args.InstanceID != "" {
		options = append(options, kgo.InstanceID(args.InstanceID))
	}
	cl, err := client(options...)
	if err != nil {
		return nil, err
	}
	m.client = cl
	members.Add(args.Handle, m)
	go func() {
		defer close(m.done)
		for {
			fetches := cl.PollFetches(background)
			if fetches.IsClientClosed() {
				return
			}
			fetches.EachRecord(func(record *kgo.Record) { m.Take(received(record)) })
		}
	}()
	return nil, nil
}

func groupCommit(args agent.Args) (any, error) {
	m := members.Get(args.Handle)
	wanted := map[int32]kgo.EpochOffset{}
	for partition, offset := range m.Positions() {
		wanted[partition] = kgo.EpochOffset{Epoch: -1, Offset: offset}
	}
	offsets := map[string]map[int32]kgo.EpochOffset{m.Topic: wanted}
	var failure error
	m.client.CommitOffsetsSync(background, offsets, func(_ *kgo.Client, _ *commitRequest, response *commitResponse, err error) {
		failure = err
		if err != nil {
			return
		}
		for _, topic := range response.Topics {
			for _, partition := range topic.Partitions {
				if failure == nil {
					failure = kerr.ErrorForCode(partition.ErrorCode)
				}
			}
		}
	})
	return nil, failure
}

func groupClose(args agent.Args) (any, error) {
	m := members.Remove(args.Handle)
	m.client.Close()
	<-m.done
	return nil, nil
}

func groupState(args agent.Args) (any, error) { return members.Get(args.Handle).State(), nil }

func main() {
	cl, err := client()
	if err != nil {
		panic(err)
	}
	admin = kadm.NewClient(cl)
	commands := adminCommands()
	commands["produce"] = produce
	commands["consume"] = consume
	commands["groupOpen"] = groupOpen
	commands["groupState"] = groupState
	commands["groupCommit"] = groupCommit
	commands["groupClose"] = groupClose
	features := []string{"empty", "gzip", "snappy", "lz4", "zstd", "dupHeaders", "nullHeaders", "offsets", "strict", "assignors", "static", "maxTimestamp"}
	agent.Serve("franz-go", "1.22.2", commands, features, func(err error) (int, bool) {
		var known *kerr.Error
		if errors.As(err, &known) {
			return int(known.Code), true
		}
		return 0, false
	})
}
