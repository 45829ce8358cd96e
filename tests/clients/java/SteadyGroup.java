import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Members of a group that read a topic through every outage and commit what they have read. A
 * partition that a member begins with is a line "S member partition offset", each record of
 * SteadyProducer "G member partition offset p q n", each acknowledged commit "C member partition
 * offset", each exception that no client should see "X text". When told to stop they first read
 * and commit up to the end.
 */
final class SteadyGroup implements Runnable {
    private final int member;
    private final String topic;
    private final String bootstrap;
    private final Set<TopicPartition> all = new HashSet<>();
    private final AtomicBoolean stop;
    private final PrintStream out;

    private SteadyGroup(
            int member, String topic, int partitions, String bootstrap, AtomicBoolean stop,
            PrintStream out) {
        this.member = member;
        this.topic = topic;
        this.bootstrap = bootstrap;
        this.stop = stop;
        this.out = out;
        for (int each = 0; each < partitions; each++) all.add(new TopicPartition(topic, each));
    }

    static List<Thread> start(
            int members, String topic, int partitions, String bootstrap, AtomicBoolean stop,
            PrintStream out) {
        List<Thread> threads = new ArrayList<>();
        for (int member = 0; member < members; member++) {
            threads.add(new Thread(
                new SteadyGroup(member, topic, partitions, bootstrap, stop, out)));
        }
        threads.forEach(Thread::start);
        return threads;
    }

    private Properties settings() {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("group.id", topic + "-group");
        settings.put("key.deserializer", StringDeserializer.class.getName());
        settings.put("value.deserializer", StringDeserializer.class.getName());
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        settings.put("session.timeout.ms", "10000");
        settings.put("heartbeat.interval.ms", "1000");
        settings.put("reconnect.backoff.max.ms", "200");
        settings.put("retry.backoff.max.ms", "200");
        settings.put("request.timeout.ms", "5000");
        settings.put("default.api.timeout.ms", "8000");
        settings.put("fetch.max.wait.ms", "200");
        return settings;
    }

    @Override
    public void run() {
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings())) {
            consumer.subscribe(List.of(topic), listener(consumer));
            while (true) {
                try {
                    step(consumer);
                    if (stop.get() && atEnd(consumer)) return;
                } catch (RetriableException | RebalanceInProgressException
                        | CommitFailedException expected) {
                    // an outage, or the partitions are another member's by now
                } catch (Exception error) {
                    print("X " + error);
                }
            }
        } catch (Exception error) {
            print("X " + error);
        }
    }

    private void step(KafkaConsumer<String, String> consumer) {
        Map<TopicPartition, OffsetAndMetadata> read = new HashMap<>();
        var records = consumer.poll(Duration.ofMillis(100));
        synchronized (out) {
            for (ConsumerRecord<String, String> one : records) {
                String[] parts = one.value().split(" ", 4);
                out.println("G " + member + " " + one.partition() + " " + one.offset()
                    + " " + parts[0] + " " + parts[1] + " " + parts[2]);
            }
        }
        for (TopicPartition each : records.partitions()) {
            var of = records.records(each);
            read.put(each, new OffsetAndMetadata(of.get(of.size() - 1).offset() + 1));
        }
        if (read.isEmpty()) return;
        consumer.commitSync(read);
        synchronized (out) {
            read.forEach((each, offset) ->
                out.println("C " + member + " " + each.partition() + " " + offset.offset()));
        }
    }

    private boolean atEnd(KafkaConsumer<String, String> consumer) {
        var committed = consumer.committed(all);
        return consumer.endOffsets(all).entrySet().stream().allMatch(end -> {
            OffsetAndMetadata found = committed.get(end.getKey());
            return end.getValue() == 0 || (found != null && found.offset() >= end.getValue());
        });
    }

    private ConsumerRebalanceListener listener(KafkaConsumer<String, String> consumer) {
        return new ConsumerRebalanceListener() {
            @Override
            public void onPartitionsRevoked(Collection<TopicPartition> partitions) {}

            @Override
            public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                for (TopicPartition each : partitions) {
                    while (true) {
                        try {
                            long position = consumer.position(each);
                            print("S " + member + " " + each.partition() + " " + position);
                            break;
                        } catch (RetriableException outage) {
                            // again, until it is known
                        }
                    }
                }
            }
        };
    }

    private void print(String line) {
        synchronized (out) {
            out.println(line);
        }
    }
}
