import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/** A group member with a thread of its own, since a KafkaConsumer belongs to one thread. */
final class GroupMember {
    private final String topic;
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final Thread thread;
    private final ConcurrentLinkedQueue<Runnable> calls = new ConcurrentLinkedQueue<>();
    private final Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
    private List<Object> records = new ArrayList<>();
    private List<Integer> assignment = List.of();
    private volatile boolean open = true;

    GroupMember(String topic, Properties settings) {
        this.topic = topic;
        this.consumer = new KafkaConsumer<>(settings);
        this.thread = new Thread(this::run, "member");
        thread.start();
    }

    private void run() {
        consumer.subscribe(List.of(topic));
        while (open) {
            try {
                poll();
            } catch (Exception error) {
                error.printStackTrace();
            }
            for (Runnable call = calls.poll(); call != null; call = calls.poll()) call.run();
        }
        consumer.close();
    }

    private void poll() {
        var polled = consumer.poll(Duration.ofMillis(100));
        synchronized (this) {
            polled.forEach(one -> {
                records.add(ClientAgent.received(one));
                positions.put(
                    new TopicPartition(one.topic(), one.partition()),
                    new OffsetAndMetadata(one.offset() + 1));
            });
            assignment = consumer.assignment().stream().map(TopicPartition::partition).toList();
        }
    }

    synchronized Object state() {
        List<Object> taken = records;
        records = new ArrayList<>();
        return Map.of("assignment", assignment, "records", taken);
    }

    Object commit() throws Exception {
        CompletableFuture<Object> done = new CompletableFuture<>();
        calls.add(() -> {
            try {
                consumer.commitSync(positions);
                done.complete(null);
            } catch (Exception error) {
                done.completeExceptionally(error);
            }
        });
        return done.get();
    }

    Object close() throws InterruptedException {
        open = false;
        thread.join();
        return null;
    }
}
