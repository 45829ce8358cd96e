// Command sarama is IBM/sarama as an agent.
package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"kafscale/tests/clients/agent"
)

var (
	cluster   sarama.Client
	admin     sarama.ClusterAdmin
	producers = map[string]sarama.SyncProducer{}
	guard     sync.Mutex
	members   agent.Members[*member]
)

type member struct {
	*agent.Member
	group   sarama.ConsumerGroup
	session sarama.ConsumerGroupSession
	cancel  context.CancelFunc
	done    chan struct{}
	guard   sync.Mutex
}

func config() *sarama.Config {
	config := sarama.NewConfig()
	config.ClientID = "sarama"
	config.Metadata.AllowAutoTopicCreation = false
	config.Producer.Return.Successes = true
	return config
}

// byKeyOrChoice takes a record's partition when it names one, and the default's otherwise.
type byKeyOrChoice struct{ sarama.Partitioner }

func (p byKeyOrChoice) Partition(message *sarama.ProducerMessage, count int32) (int32, error) {
	if message.Partition >= 0 {
		return message.Partition, nil
	}
	return p.Partitioner.Partition(message, count)
}

func producer(args agent.Args) (sarama.SyncProducer, error) {
	guard.Lock()
	defer guard.Unlock()
	settings := config()
	settings.Producer.Partitioner = func(topic string) sarama.Partitioner {
		return byKeyOrChoice{sarama.NewHashPartitioner(topic)}
	}
	// it keeps for ten minutes what it saw of a topic, and would ask for all topics at once
	settings.Metadata.Full = false
	key := args.Topic + " " + args.Compression
	codecs := map[string]sarama.CompressionCodec{
		"gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
		"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
	}
	if codec, ok := codecs[args.Compression]; ok {
		settings.Producer.Compression = codec
		settings.Producer.Flush.Frequency = 20 * time.Millisecond
	}
	if args.Acks != nil {
		settings.Producer.RequiredAcks = sarama.RequiredAcks(*args.Acks)
		key += string(rune('b' + *args.Acks))
	}
	if args.TimeoutMs > 0 {
		settings.Producer.Retry.Max = 0
		settings.Metadata.Retry.Max = 0
		settings.Producer.MaxMessageBytes = 10000000
		key += " impatient"
	}
	if found, ok := producers[key]; ok {
		return found, nil
	}
	made, err := sarama.NewSyncProducer(agent.Bootstrap(), settings)
	if err == nil {
		producers[key] = made
	}
	return made, err
}

func produce(args agent.Args) (any, error) {
	sender, err := producer(args)
	if err != nil {
		return nil, err
	}
	messages := make([]*sarama.ProducerMessage, len(args.Records))
	for index, one := range args.Records {
		message := &sarama.ProducerMessage{Topic: args.Topic, Partition: -1}
		if one.Key != nil {
			message.Key = sarama.ByteEncoder(one.Key)
		}
		if one.Value != nil {
			message.Value = sarama.ByteEncoder(one.Value)
		}
		if one.Partition != nil {
			message.Partition = *one.Partition
		}
		if one.Timestamp != nil {
			message.Timestamp = time.UnixMilli(*one.Timestamp)
		}
		for _, header := range one.Headers {
			message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(header.Name), Value: header.Value})
		}
		messages[index] = message
	}
	if err := sender.SendMessages(messages); err != nil {
		var several sarama.ProducerErrors
		if errors.As(err, &several) {
			return nil, several[0].Err
		}
		return nil, err
	}
	offsets := make([][2]int64, len(messages))
	for index, message := range messages {
		offsets[index] = [2]int64{int64(message.Partition), message.Offset}
	}
	return map[string]any{"offsets": offsets}, nil
}

func received(message *sarama.ConsumerMessage) agent.Record {
	headers := make([]agent.Header, len(message.Headers))
	for index, header := range message.Headers {
		headers[index] = agent.Header{Name: string(header.Key), Value: header.Value}
	}
	return agent.Received(message.Partition, message.Offset, message.Timestamp, message.Key, message.Value, headers)
}

func consume(args agent.Args) (any, error) {
	start := args.Start()
	settings := config()
	settings.Consumer.Return.Errors = true
	consumer, err := sarama.NewConsumer(agent.Bootstrap(), settings)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	messages := make(chan *sarama.ConsumerMessage, 1000)
	for partition := int32(0); partition < args.PartitionCount(); partition++ {
		from := sarama.OffsetOldest
		if start.Offset != nil {
			from = *start.Offset
		} else if start.Timestamp != nil {
			if from, err = cluster.GetOffset(args.Topic, partition, *start.Timestamp); err != nil {
				return nil, err
			}
			if from < 0 {
				from = sarama.OffsetNewest
			}
		}
		part, err := consumer.ConsumePartition(args.Topic, partition, from)
		if err != nil {
			return nil, err
		}
		defer part.AsyncClose()
		go func() {
			for message := range part.Messages() {
				messages <- message
			}
		}()
	}
	records := []agent.Record{}
	timeout := time.After(time.Until(args.Deadline()))
	for len(records) < args.Count {
		select {
		case message := <-messages:
			records = append(records, received(message))
		case <-timeout:
			return records, nil
		}
	}
	return records, nil
}

func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	m.guard.Lock()
	m.session = session
	m.guard.Unlock()
	m.Assign(session.Claims()[m.Topic])
	return nil
}

func (m *member) Cleanup(session sarama.ConsumerGroupSession) error {
	m.Revoke(session.Claims()[m.Topic])
	return nil
}

func (m *member) ConsumeClaim(_ sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		m.Take(received(message))
	}
	return nil
}

func groupOpen(args agent.Args) (any, error) {
	settings := config()
	settings.Consumer.Offsets.Initial = sarama.OffsetOldest
	settings.Consumer.Offsets.AutoCommit.Enable = false
	settings.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	settings.Consumer.Group.Session.Timeout = 10 * time.Second
	settings.Consumer.Group.InstanceId = args.InstanceID
	strategies := map[string]sarama.BalanceStrategy{
		"range":      sarama.NewBalanceStrategyRange(),
		"roundrobin": sarama.NewBalanceStrategyRoundRobin(),
		"sticky":     sarama.NewBalanceStrategySticky(),
	}
	if args.Assignor != "" {
		settings.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategies[args.Assignor]}
	}
	group, err := sarama.NewConsumerGroup(agent.Bootstrap(), args.Group, settings)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{Member: agent.NewMember(args.Topic), group: group, cancel: cancel, done: make(chan struct{})}
	members.Add(args.Handle, m)
	go func() {
		defer close(m.done)
		for ctx.Err() == nil {
			if err := group.Consume(ctx, []string{args.Topic}, m); err != nil {
				println("consume", err.Error())
				time.Sleep(100 * time.Millisecond)
			}
		}
	}()
	return nil, nil
}

func groupCommit(args agent.Args) (any, error) {
	m := members.Get(args.Handle)
	m.guard.Lock()
	defer m.guard.Unlock()
	for partition, offset := range m.Positions() {
		m.session.MarkOffset(m.Topic, partition, offset, "")
	}
	m.session.Commit()
	return nil, nil
}

func groupClose(args agent.Args) (any, error) {
	m := members.Remove(args.Handle)
	m.cancel()
	<-m.done
	return nil, m.group.Close()
}

func groupState(args agent.Args) (any, error) { return members.Get(args.Handle).State(), nil }

func main() {
	var err error
	if cluster, err = sarama.NewClient(agent.Bootstrap(), config()); err != nil {
		panic(err)
	}
	if admin, err = sarama.NewClusterAdminFromClient(cluster); err != nil {
		panic(err)
	}
	commands := adminCommands()
	commands["produce"] = produce
	commands["consume"] = consume
	commands["groupOpen"] = groupOpen
	commands["groupState"] = groupState
	commands["groupCommit"] = groupCommit
	commands["groupClose"] = groupClose
	features := []string{"empty", "gzip", "snappy", "lz4", "zstd", "dupHeaders", "nullHeaders", "offsets", "strict", "static"}
	agent.Serve("sarama", "1.61.1", commands, features, func(err error) (int, bool) {
		var known sarama.KError
		if errors.As(err, &known) && known > 0 {
			return int(known), true
		}
		return 0, false
	})
}
