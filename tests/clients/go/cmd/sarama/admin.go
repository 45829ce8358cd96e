package main

import (
	"errors"
	"strconv"

	"github.com/IBM/sarama"

	"kafscale/tests/clients/agent"
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
		"describeLogDirs":         describeLogDirs,
	}
}

func listOffsets(args agent.Args) (any, error) {
	offset, err := cluster.GetOffset(args.Topic, args.Partition, args.Spec())
	return map[string]any{"offset": offset}, err
}

func createTopic(args agent.Args) (any, error) {
	detail := &sarama.TopicDetail{
		NumPartitions: args.PartitionCount(), ReplicationFactor: 1, ConfigEntries: map[string]*string{},
	}
	for name, value := range args.Configs {
		detail.ConfigEntries[name] = &value
	}
	err := admin.CreateTopic(args.Topic, detail, false)
	var failure *sarama.TopicError
	if errors.As(err, &failure) {
		return nil, failure.Err
	}
	return nil, err
}

func listTopics(agent.Args) (any, error) {
	found, err := admin.ListTopics()
	names := []string{}
	for name := range found {
		names = append(names, name)
	}
	return names, err
}

func describeTopic(args agent.Args) (any, error) {
	found, err := admin.DescribeTopics([]string{args.Topic})
	if err != nil {
		return nil, err
	}
	if found[0].Err != sarama.ErrNoError {
		return nil, found[0].Err
	}
	partitions := []any{}
	for _, one := range found[0].Partitions {
		partitions = append(partitions, map[string]any{
			"id": one.ID, "leader": one.Leader, "replicas": one.Replicas, "isr": one.Isr,
		})
	}
	return map[string]any{"partitions": partitions}, nil
}

func createPartitions(args agent.Args) (any, error) {
	err := admin.CreatePartitions(args.Topic, int32(args.Total), nil, false)
	var failure *sarama.TopicPartitionError
	if errors.As(err, &failure) {
		return nil, failure.Err
	}
	return nil, err
}

func deleteTopic(args agent.Args) (any, error) { return nil, admin.DeleteTopic(args.Topic) }

func describeConfigs(args agent.Args) (any, error) {
	found, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: args.Topic})
	result := map[string]any{}
	for _, one := range found {
		isDefault := one.Default || one.Source == sarama.SourceDefault
		result[one.Name] = map[string]any{"value": one.Value, "isDefault": isDefault}
	}
	return result, err
}

func alterConfigs(args agent.Args) (any, error) {
	wanted := map[string]*string{}
	for name, value := range args.Configs {
		wanted[name] = &value
	}
	return nil, admin.AlterConfig(sarama.TopicResource, args.Topic, wanted, false)
}

func incrementalAlterConfigs(args agent.Args) (any, error) {
	operations := map[string]sarama.IncrementalAlterConfigsOperation{
		"set": sarama.IncrementalAlterConfigsOperationSet, "delete": sarama.IncrementalAlterConfigsOperationDelete,
		"append": sarama.IncrementalAlterConfigsOperationAppend, "subtract": sarama.IncrementalAlterConfigsOperationSubtract,
	}
	wanted := map[string]sarama.IncrementalAlterConfigsEntry{}
	for _, one := range args.Changes {
		wanted[one.Name] = sarama.IncrementalAlterConfigsEntry{Operation: operations[one.Op], Value: one.Value}
	}
	return nil, admin.IncrementalAlterConfig(sarama.TopicResource, args.Topic, wanted, false)
}

func deleteRecords(args agent.Args) (any, error) {
	return nil, admin.DeleteRecords(args.Topic, map[int32]int64{args.Partition: args.Before})
}

func listGroups(agent.Args) (any, error) {
	found, err := admin.ListConsumerGroups()
	names := []string{}
	for name := range found {
		names = append(names, name)
	}
	return names, err
}

func describeGroup(args agent.Args) (any, error) {
	found, err := admin.DescribeConsumerGroups([]string{args.Group})
	if err != nil {
		return nil, err
	}
	group := found[0]
	members := []any{}
	for _, one := range group.Members {
		partitions := []int32{}
		assigned, err := one.GetMemberAssignment()
		if err == nil && assigned != nil {
			for _, list := range assigned.Topics {
				partitions = append(partitions, list...)
			}
		}
		members = append(members, map[string]any{"clientId": one.ClientId, "partitions": partitions})
	}
	if group.Err != sarama.ErrNoError {
		return nil, group.Err
	}
	return map[string]any{"state": group.State, "protocolType": group.ProtocolType, "members": members}, nil
}

func deleteGroup(args agent.Args) (any, error) { return nil, admin.DeleteConsumerGroup(args.Group) }

func groupOffsets(args agent.Args) (any, error) {
	asked := map[string][]int32{args.Topic: {}}
	for partition := int32(0); partition < args.PartitionCount(); partition++ {
		asked[args.Topic] = append(asked[args.Topic], partition)
	}
	found, err := admin.ListConsumerGroupOffsets(args.Group, asked)
	if err != nil {
		return nil, err
	}
	if found.Err != sarama.ErrNoError {
		return nil, found.Err
	}
	result := map[string]int64{}
	for partition, one := range found.Blocks[args.Topic] {
		result[strconv.Itoa(int(partition))] = one.Offset
	}
	return result, nil
}

func setGroupOffsets(args agent.Args) (any, error) {
	wanted := map[int32]sarama.OffsetAndMetadata{}
	for name, offset := range args.Offsets {
		partition, err := strconv.Atoi(name)
		if err != nil {
			return nil, err
		}
		wanted[int32(partition)] = sarama.OffsetAndMetadata{Offset: offset, LeaderEpoch: -1}
	}
	found, err := admin.AlterConsumerGroupOffsets(args.Group, map[string]map[int32]sarama.OffsetAndMetadata{args.Topic: wanted}, nil)
	if err != nil {
		return nil, err
	}
	for _, code := range found.Errors[args.Topic] {
		if code != sarama.ErrNoError {
			return nil, code
		}
	}
	return nil, nil
}

func deleteGroupOffsets(args agent.Args) (any, error) {
	for _, partition := range args.PartitionList() {
		if err := admin.DeleteConsumerGroupOffset(args.Group, args.Topic, partition); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func describeLogDirs(args agent.Args) (any, error) {
	brokers := []int32{}
	for _, broker := range cluster.Brokers() {
		brokers = append(brokers, broker.ID())
	}
	found, err := admin.DescribeLogDirs(brokers)
	result := []any{}
	for _, dirs := range found {
		for _, dir := range dirs {
			for _, topic := range dir.Topics {
				for _, one := range topic.Partitions {
					if topic.Topic == args.Topic {
						result = append(result, map[string]any{"partition": one.PartitionID, "size": one.Size})
					}
				}
			}
		}
	}
	return result, err
}
