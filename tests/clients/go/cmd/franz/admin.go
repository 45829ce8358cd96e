package main

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafscale/tests/clients/agent"
)

type (
	commitRequest  = kmsg.OffsetCommitRequest
	commitResponse = kmsg.OffsetCommitResponse
)

func adminCommands() map[string]agent.Command {
	return map[string]agent.Command{
		"listOffsets":             listOffsets,
		"createTopic":             createTopic,
		"listTopics":              listTopics,
		"describeTopic":           describeTopic,
		"createPartitions":        createPartitions,
		"deleteTopic":             deleteTopic,
		"describeConfigs":         describeConfigs,
		"alterConfigs":            alterConfigs,
		"incrementalAlterConfigs": incrementalAlterConfigs,
		"deleteRecords":           deleteRecords,
		"listGroups":              listGroups,
		"describeGroup":           describeGroup,
		"deleteGroup":             deleteGroup,
		"groupOffsets":            groupOffsets,
		"setGroupOffsets":         setGroupOffsets,
		"deleteGroupOffsets":      deleteGroupOffsets,
		"describeCluster":         describeCluster,
		"describeLogDirs":         describeLogDirs,
		"describeProducers":       describeProducers,
	}
}

func listOffsets(args agent.Args) (any, error) {
	var listed kadm.ListedOffsets
	var err error
	switch at := args.Spec(); at {
	case -2:
		listed, err = admin.ListStartOffsets(background, args.Topic)
	case -1:
		listed, err = admin.ListEndOffsets(background, args.Topic)
	case -3:
		listed, err = admin.ListMaxTimestampOffsets(background, args.Topic)
	default:
		listed, err = admin.ListOffsetsAfterMilli(background, at, args.Topic)
	}
	if err != nil {
		return nil, err
	}
	found, _ := listed.Lookup(args.Topic, args.Partition)
	return map[string]any{"offset": found.Offset, "timestamp": found.Timestamp}, found.Err
}

func createTopic(args agent.Args) (any, error) {
	var count int32 = args.PartitionCount()
	configs := map[string]*string{}
	for name, value := range args.Configs {
		configs[name] = kadm.StringPtr(value)
	}
	_, err := admin.CreateTopic(background, count, -1, configs, args.Topic)
	return nil, err
}

func listTopics(agent.Args) (any, error) {
	found, err := admin.ListTopics(background)
	return found.Names(), err
}

func describeTopic(args agent.Args) (any, error) {
	found, err := admin.ListTopics(background, args.Topic)
	if err != nil {
		return nil, err
	}
	topic := found[args.Topic]
	partitions := []any{}
	for _, one := range topic.Partitions.Sorted() {
		partitions = append(partitions, map[string]any{
			"id": one.Partition, "leader": one.Leader, "replicas": one.Replicas, "isr": one.ISR,
		})
	}
	return map[string]any{"partitions": partitions}, topic.Err
}

func createPartitions(args agent.Args) (any, error) {
	found, err := admin.UpdatePartitions(background, args.Total, args.Topic)
	if err != nil {
		return nil, err
	}
	return nil, found.Error()
}

func deleteTopic(args agent.Args) (any, error) {
	_, err := admin.DeleteTopic(background, args.Topic)
	return nil, err
}

func describeConfigs(args agent.Args) (any, error) {
	found, err := admin.DescribeTopicConfigs(background, args.Topic)
	if err != nil {
		return nil, err
	}
	if found[0].Err != nil {
		return nil, found[0].Err
	}
	result := map[string]any{}
	for _, one := range found[0].Configs {
		isDefault := one.Source == kmsg.ConfigSourceDefaultConfig
		result[one.Key] = map[string]any{"value": one.Value, "isDefault": isDefault}
	}
	return result, nil
}

func alterConfigs(args agent.Args) (any, error) {
	var wanted []kadm.AlterConfig
	for name, value := range args.Configs {
		wanted = append(wanted, kadm.AlterConfig{Name: name, Value: kadm.StringPtr(value)})
	}
	found, err := admin.AlterTopicConfigsState(background, wanted, args.Topic)
	if err != nil {
		return nil, err
	}
	return nil, found[0].Err
}

func incrementalAlterConfigs(args agent.Args) (any, error) {
	operations := map[string]kadm.IncrementalOp{
		"set": kadm.SetConfig, "delete": kadm.DeleteConfig,
		"append": kadm.AppendConfig, "subtract": kadm.SubtractConfig,
	}
	var wanted []kadm.AlterConfig
	for _, one := range args.Changes {
		wanted = append(wanted, kadm.AlterConfig{Op: operations[one.Op], Name: one.Name, Value: one.Value})
	}
	found, err := admin.AlterTopicConfigs(background, wanted, args.Topic)
	if err != nil {
		return nil, err
	}
	return nil, found[0].Err
}

func deleteRecords(args agent.Args) (any, error) {
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: args.Topic, Partition: args.Partition, At: args.Before, LeaderEpoch: -1})
	found, err := admin.DeleteRecords(background, offsets)
	if err != nil {
		return nil, err
	}
	one, _ := found.Lookup(args.Topic, args.Partition)
	return map[string]any{"low": one.LowWatermark}, one.Err
}

func listGroups(agent.Args) (any, error) {
	found, err := admin.ListGroups(background)
	return found.Groups(), err
}

func describeGroup(args agent.Args) (any, error) {
	found, err := admin.DescribeGroups(background, args.Group)
	if err != nil {
		return nil, err
	}
	group := found[args.Group]
	members := []any{}
	for _, one := range group.Members {
		partitions := []int32{}
		if assigned, ok := one.Assigned.AsConsumer(); ok {
			for _, topic := range assigned.Topics {
				partitions = append(partitions, topic.Partitions...)
			}
		}
		members = append(members, map[string]any{"clientId": one.ClientID, "partitions": partitions})
	}
	result := map[string]any{"state": group.State, "protocolType": group.ProtocolType, "members": members}
	return result, group.Err
}

func deleteGroup(args agent.Args) (any, error) {
	_, err := admin.DeleteGroup(background, args.Group)
	return nil, err
}

func groupOffsets(args agent.Args) (any, error) {
	found, err := admin.FetchOffsetsForTopics(background, args.Group, args.Topic)
	if err != nil {
		return nil, err
	}
	result := map[string]int64{}
	for partition, one := range found[args.Topic] {
		if one.Err != nil {
			return nil, one.Err
		}
		result[strconv.Itoa(int(partition))] = one.At
	}
	return result, nil
}

func setGroupOffsets(args agent.Args) (any, error) {
	offsets := kadm.Offsets{}
	for name, offset := range args.Offsets {
		partition, err := strconv.Atoi(name)
		if err != nil {
			return nil, err
		}
		offsets.Add(kadm.Offset{Topic: args.Topic, Partition: int32(partition), At: offset, LeaderEpoch: -1})
	}
	return nil, admin.CommitAllOffsets(background, args.Group, offsets)
}

func deleteGroupOffsets(args agent.Args) (any, error) {
	topics := kadm.TopicsSet{}
	topics.Add(args.Topic, args.PartitionList()...)
	found, err := admin.DeleteOffsets(background, args.Group, topics)
	if err != nil {
		return nil, err
	}
	return nil, found.Error()
}

func describeCluster(agent.Args) (any, error) {
	found, err := admin.BrokerMetadata(background)
	if err != nil {
		return nil, err
	}
	brokers := []any{}
	for _, one := range found.Brokers {
		brokers = append(brokers, map[string]any{"id": one.NodeID, "host": one.Host, "port": one.Port})
	}
	return map[string]any{"clusterId": found.Cluster, "controller": found.Controller, "brokers": brokers}, nil
}

func describeLogDirs(args agent.Args) (any, error) {
	topics := kadm.TopicsSet{}
	topics.Add(args.Topic, 0)
	found, err := admin.DescribeAllLogDirs(background, topics)
	if err != nil {
		return nil, err
	}
	result := []any{}
	for _, dirs := range found {
		for _, dir := range dirs {
			for _, one := range dir.Topics[args.Topic] {
				result = append(result, map[string]any{"partition": one.Partition, "size": one.Size})
			}
		}
	}
	return result, nil
}

func describeProducers(args agent.Args) (any, error) {
	topics := kadm.TopicsSet{}
	topics.Add(args.Topic, args.Partition)
	found, err := admin.DescribeProducers(background, topics)
	if err != nil {
		return nil, err
	}
	partition := found[args.Topic].Partitions[args.Partition]
	result := []any{}
	for _, one := range partition.ActiveProducers {
		result = append(result, map[string]any{
			"producerId": one.ProducerID, "producerEpoch": one.ProducerEpoch, "lastSequence": one.LastSequence,
		})
	}
	return result, partition.Err
}
