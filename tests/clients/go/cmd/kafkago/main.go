// Command kafkago is segmentio/kafka-go as an agent.
package main

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"kafscale/tests/clients/agent"
)

var (
	background = context.Background()
	address    = kafka.TCP(agent.Bootstrap()...)
	admin      = &kafka.Client{Addr: address, Timeout: 15 * time.Second}
	members    agent.Members[*member]
	writers    = map[string]*kafka.Writer{}
	guard      sync.Mutex
)

type member struct {
	*agent.Member
	cancel context.CancelFunc
	done   chan struct{}
	group  *kafka.ConsumerGroup
	guard  sync.Mutex
	// The generation that offsets are committed in.
	generation *kafka.Generation
}

// byKeyOrChoice takes a record's partition when it names one (as WriterData), else hashes the key.
type byKeyOrChoice struct{ hash *kafka.Hash }

func (b byKeyOrChoice) Balance(message kafka.Message, partitions ...int) int {
	if chosen, ok := message.WriterData.(*int32); ok && chosen != nil {
		return int(*chosen)
	}
	return b.hash.Balance(message, partitions...)
}

func writer(args agent.Args) *kafka.Writer {
	guard.Lock()
	defer guard.Unlock()
	key := args.Compression
	made := &kafka.Writer{Addr: address, Balancer: byKeyOrChoice{&kafka.Hash{}}, BatchTimeout: 10 * time.Millisecond}
	codecs := map[string]kafka.Compression{
		"gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
	}
	made.Compression = codecs[args.Compression]
	made.RequiredAcks = kafka.RequireAll
	if args.Acks != nil {
		made.RequiredAcks = kafka.RequiredAcks(*args.Acks)
		key += string(rune('b' + *args.Acks))
	}
	if args.TimeoutMs > 0 {
		made.MaxAttempts = 1
		made.BatchBytes = 10000000
		key += " impatient"
	}
	if found, ok := writers[key]; ok {
		return found
	}
	writers[key] = made
	return made
}

func produce(args agent.Args) (any, error) {
	messages := make([]kafka.Message, len(args.Records))
	for index, one := range args.Records {
		message := kafka.Message{Topic: args.Topic, Key: one.Key, Value: one.Value, WriterData: one.Partition}
		if one.Timestamp != nil {
			message.Time = time.UnixMilli(*one.Timestamp)
		}
		for _, header := range one.Headers {
			message.Headers = append(message.Headers, kafka.Header{Key: header.Name, Value: header.Value})
		}
		messages[index] = message
	}
	err := writer(args).WriteMessages(background, messages...)
	var several kafka.WriteErrors
	if errors.As(err, &several) {
		for _, one := range several {
			if one != nil {
				return nil, one
			}
		}
	}
	return map[string]any{"offsets": nil}, err
}

func received(message kafka.Message) agent.Record {
	headers := make([]agent.Header, len(message.Headers))
	for index, header := range message.Headers {
		headers[index] = agent.Header{Name: header.Key, Value: header.Value}
	}
	return agent.Received(int32(message.Partition), message.Offset, message.Time, message.Key, message.Value, headers)
}

func consume(args agent.Args) (any, error) {
	start := args.Start()
	ctx, cancel := context.WithDeadline(background, args.Deadline())
	defer cancel()
	messages := make(chan kafka.Message, 1000)
	failures := make(chan error, 100)
	for partition := int32(0); partition < args.PartitionCount(); partition++ {
		reader := kafka.NewReader(kafka.ReaderConfig{
			Brokers: agent.Bootstrap(), Topic: args.Topic, Partition: int(partition),
			MaxWait: 200 * time.Millisecond, MaxBytes: 10000000, OffsetOutOfRangeError: args.Strict,
		})
		defer reader.Close()
		from := kafka.FirstOffset
		if start.Offset != nil {
			from = *start.Offset
		}
		if err := reader.SetOffset(from); err != nil {
			return nil, err
		}
		if start.Timestamp != nil {
			if err := reader.SetOffsetAt(ctx, time.UnixMilli(*start.Timestamp)); err != nil {
				return nil, err
			}
		}
		go func() {
			for {
				message, err := reader.ReadMessage(ctx)
				if err != nil {
					failures <- err
					return
				}
				messages <- message
			}
		}()
	}
	records := []agent.Record{}
	for len(records) < args.Count {
		select {
		case message := <-messages:
			records = append(records, received(message))
		case err := <-failures:
			if ctx.Err() == nil && !errors.Is(err, io.EOF) {
				return nil, err
			}
			return records, nil
		}
	}
	return records, nil
}

// groupOpen uses the generation API: the reader of groups hides its assignment.
func groupOpen(args agent.Args) (any, error) {
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: args.Group, Brokers: agent.Bootstrap(), Topics: []string{args.Topic},
		HeartbeatInterval: 500 * time.Millisecond, SessionTimeout: 10 * time.Second,
		RebalanceTimeout: 10 * time.Second, StartOffset: kafka.FirstOffset, JoinGroupBackoff: 100 * time.Millisecond,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(background)
	m := &member{Member: agent.NewMember(args.Topic), cancel: cancel, done: make(chan struct{}), group: group}
	members.Add(args.Handle, m)
	go func() {
		defer close(m.done)
		for ctx.Err() == nil {
			generation, err := group.Next(ctx)
			if err != nil {
				continue
			}
			m.guard.Lock()
			m.generation = generation
			m.guard.Unlock()
			for _, one := range generation.Assignments[args.Topic] {
				generation.Start(func(ctx context.Context) { m.read(ctx, one.ID, one.Offset) })
			}
		}
	}()
	return nil, nil
}

func (m *member) read(ctx context.Context, partition int, offset int64) {
	m.Assign([]int32{int32(partition)})
	defer m.Revoke([]int32{int32(partition)})
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: agent.Bootstrap(), Topic: m.Topic, Partition: partition, MaxWait: 200 * time.Millisecond,
	})
	defer reader.Close()
	if err := reader.SetOffset(offset); err != nil {
		println("seek", err.Error())
	}
	for {
		message, err := reader.ReadMessage(ctx)
		if err != nil {
			return
		}
		m.Take(received(message))
	}
}

func groupCommit(args agent.Args) (any, error) {
	m := members.Get(args.Handle)
	m.guard.Lock()
	defer m.guard.Unlock()
	offsets := map[int]int64{}
	for partition, offset := range m.Positions() {
		offsets[int(partition)] = offset
	}
	return nil, m.generation.CommitOffsets(map[string]map[int]int64{m.Topic: offsets})
}

func groupClose(args agent.Args) (any, error) {
	m := members.Remove(args.Handle)
	m.cancel()
	err := m.group.Close()
	<-m.done
	return nil, err
}

func groupState(args agent.Args) (any, error) { return members.Get(args.Handle).State(), nil }

func listOffsets(args agent.Args) (any, error) {
	request := kafka.OffsetRequest{Partition: int(args.Partition), Timestamp: args.Spec()}
	found, err := admin.ListOffsets(background, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{args.Topic: {request}},
	})
	if err != nil {
		return nil, err
	}
	one := found.Topics[args.Topic][0]
	offset := one.FirstOffset
	if args.Spec() == kafka.LastOffset {
		offset = one.LastOffset
	}
	for at := range one.Offsets {
		if args.Spec() >= 0 {
			offset = at
		}
	}
	return map[string]any{"offset": offset}, one.Error
}

func createTopic(args agent.Args) (any, error) {
	entries := []kafka.ConfigEntry{}
	for name, value := range args.Configs {
		entries = append(entries, kafka.ConfigEntry{ConfigName: name, ConfigValue: value})
	}
	found, err := admin.CreateTopics(background, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
		Topic: args.Topic, NumPartitions: int(args.PartitionCount()), ReplicationFactor: 1, ConfigEntries: entries,
	}}})
	if err != nil {
		return nil, err
	}
	return nil, found.Errors[args.Topic]
}

func metadata(topics ...string) (*kafka.MetadataResponse, error) {
	return admin.Metadata(background, &kafka.MetadataRequest{Topics: topics})
}

func listTopics(agent.Args) (any, error) {
	found, err := metadata()
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, topic := range found.Topics {
		names = append(names, topic.Name)
	}
	return names, nil
}

func ids(brokers []kafka.Broker) []int {
	result := []int{}
	for _, one := range brokers {
		result = append(result, one.ID)
	}
	return result
}

func describeTopic(args agent.Args) (any, error) {
	found, err := metadata(args.Topic)
	if err != nil {
		return nil, err
	}
	partitions := []any{}
	for _, one := range found.Topics[0].Partitions {
		partitions = append(partitions, map[string]any{
			"id": one.ID, "leader": one.Leader.ID, "replicas": ids(one.Replicas), "isr": ids(one.Isr),
		})
	}
	return map[string]any{"partitions": partitions}, found.Topics[0].Error
}

func createPartitions(args agent.Args) (any, error) {
	found, err := admin.CreatePartitions(background, &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: args.Topic, Count: int32(args.Total)}},
	})
	if err != nil {
		return nil, err
	}
	return nil, found.Errors[args.Topic]
}

func deleteTopic(args agent.Args) (any, error) {
	found, err := admin.DeleteTopics(background, &kafka.DeleteTopicsRequest{Topics: []string{args.Topic}})
	if err != nil {
		return nil, err
	}
	return nil, found.Errors[args.Topic]
}

func listGroups(agent.Args) (any, error) {
	found, err := admin.ListGroups(background, &kafka.ListGroupsRequest{})
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, one := range found.Groups {
		names = append(names, one.GroupID)
	}
	return names, nil
}

func deleteGroup(args agent.Args) (any, error) {
	found, err := admin.DeleteGroups(background, &kafka.DeleteGroupsRequest{GroupIDs: []string{args.Group}})
	if err != nil {
		return nil, err
	}
	return nil, found.Errors[args.Group]
}

func groupOffsets(args agent.Args) (any, error) {
	asked := []int{}
	for partition := 0; partition < int(args.PartitionCount()); partition++ {
		asked = append(asked, partition)
	}
	found, err := admin.OffsetFetch(background, &kafka.OffsetFetchRequest{
		GroupID: args.Group, Topics: map[string][]int{args.Topic: asked},
	})
	if err != nil {
		return nil, err
	}
	result := map[string]int64{}
	for _, one := range found.Topics[args.Topic] {
		result[strconv.Itoa(one.Partition)] = one.CommittedOffset
	}
	return result, nil
}

func describeCluster(agent.Args) (any, error) {
	found, err := metadata("__none")
	if err != nil {
		return nil, err
	}
	brokers := []any{}
	for _, one := range found.Brokers {
		brokers = append(brokers, map[string]any{"id": one.ID, "host": one.Host, "port": one.Port})
	}
	return map[string]any{"clusterId": found.ClusterID, "controller": found.Controller.ID, "brokers": brokers}, nil
}

func main() {
	commands := map[string]agent.Command{
		"produce": produce, "consume": consume, "groupOpen": groupOpen, "groupState": groupState,
		"groupCommit": groupCommit, "groupClose": groupClose, "listOffsets": listOffsets,
		"createTopic": createTopic, "listTopics": listTopics, "describeTopic": describeTopic,
		"createPartitions": createPartitions, "deleteTopic": deleteTopic, "listGroups": listGroups,
		"deleteGroup": deleteGroup, "groupOffsets": groupOffsets, "describeCluster": describeCluster,
	}
	features := []string{"gzip", "snappy", "lz4", "zstd", "dupHeaders", "nullHeaders", "strict"}
	agent.Serve("kafka-go", "0.4.51", commands, features, func(err error) (int, bool) {
		var known kafka.Error
		if errors.As(err, &known) && known > 0 {
			return int(known), true
		}
		return 0, false
	})
}
