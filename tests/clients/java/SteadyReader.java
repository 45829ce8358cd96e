import java.io.PrintStream;
import java.time.Duration;
import java.util.HashSet;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * A consumer without a group that reads a topic from its start through every outage, once. Each
 * record of SteadyProducer is a line "R partition offset p q n", each exception a line "X text".
 * When told to stop it first reads up to the end.
 */
final class SteadyReader {
    private SteadyReader() {}

    static Thread start(
            String topic, int partitions, String bootstrap, AtomicBoolean stop, PrintStream out) {
        Thread thread = new Thread(() -> read(topic, partitions, bootstrap, stop, out));
        thread.start();
        return thread;
    }

    private static void read(
            String topic, int partitions, String bootstrap, AtomicBoolean stop, PrintStream out) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("key.deserializer", StringDeserializer.class.getName());
        settings.put("value.deserializer", StringDeserializer.class.getName());
        settings.put("auto.offset.reset", "none");
        settings.put("enable.auto.commit", "false");
        settings.put("reconnect.backoff.max.ms", "200");
        settings.put("retry.backoff.max.ms", "200");
        settings.put("request.timeout.ms", "5000");
        settings.put("fetch.max.wait.ms", "200");
        Set<TopicPartition> all = new HashSet<>();
        for (int partition = 0; partition < partitions; partition++) {
            all.add(new TopicPartition(topic, partition));
        }
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings)) {
            consumer.assign(all);
            for (TopicPartition each : all) consumer.seek(each, 0);
            while (!stop.get() || !atEnd(consumer, all)) {
                try {
                    var records = consumer.poll(Duration.ofMillis(100));
                    synchronized (out) {
                        for (ConsumerRecord<String, String> one : records) report(one, out);
                    }
                } catch (Exception error) {
                    synchronized (out) {
                        out.println("X " + error);
                    }
                }
            }
        }
    }

    private static boolean atEnd(KafkaConsumer<String, String> consumer, Set<TopicPartition> all) {
        return consumer.endOffsets(all).entrySet().stream()
            .allMatch(end -> consumer.position(end.getKey()) >= end.getValue());
    }

    private static void report(ConsumerRecord<String, String> one, PrintStream out) {
        String[] parts = one.value().split(" ", 4);
        out.println("R " + one.partition() + " " + one.offset()
            + " " + parts[0] + " " + parts[1] + " " + parts[2]);
    }
}
