import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Idempotent producers that go on through every outage until standard input ends. Record n of
 * producer p to partition q has the key "p" and the value "p q n padding". Each acknowledgement is a
 * line "A p q n offset", each failure a line "F p q n error", and at the end "END". With "follow" a
 * SteadyReader reads along, with "group" so many members of a SteadyGroup.
 *
 * <p>Arguments: TOPIC PARTITIONS PRODUCERS RECORDS_PER_SECOND VALUE_BYTES BOOTSTRAP [follow]
 * [group MEMBERS]
 */
public final class SteadyProducer {
    private SteadyProducer() {}

    public static void main(String[] args) throws Exception {
        System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "off");
        String topic = args[0];
        int partitions = Integer.parseInt(args[1]);
        int producers = Integer.parseInt(args[2]);
        int perSecond = Integer.parseInt(args[3]);
        String padding = "x".repeat(Integer.parseInt(args[4]));
        AtomicBoolean stop = new AtomicBoolean();
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        List<Thread> threads = new ArrayList<>();
        AtomicBoolean written = new AtomicBoolean();
        List<String> more = List.of(args).subList(6, args.length);
        List<Thread> readers = new ArrayList<>();
        if (more.contains("follow")) {
            readers.add(SteadyReader.start(topic, partitions, args[5], written, out));
        }
        if (more.contains("group")) {
            int members = Integer.parseInt(more.get(more.indexOf("group") + 1));
            readers.addAll(SteadyGroup.start(members, topic, partitions, args[5], written, out));
        }
        for (int index = 0; index < producers; index++) {
            int producer = index;
            Thread thread = new Thread(() ->
                produce(topic, partitions, producer, perSecond / producers, padding, args[5], stop, out));
            thread.start();
            threads.add(thread);
        }
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        while (in.readLine() != null) {
            synchronized (out) {
                out.flush();
            }
        }
        stop.set(true);
        for (Thread thread : threads) thread.join();
        written.set(true);
        for (Thread reader : readers) reader.join();
        synchronized (out) {
            out.println("END");
            out.flush();
        }
        Runtime.getRuntime().halt(0);
    }

    private static Properties settings(String bootstrap) {
        Properties result = new Properties();
        result.put("bootstrap.servers", bootstrap);
        result.put("key.serializer", StringSerializer.class.getName());
        result.put("value.serializer", StringSerializer.class.getName());
        // The rest is the client's default: acks=all, idempotent, 5 in flight, endless retries.
        result.put("reconnect.backoff.max.ms", "200");
        result.put("retry.backoff.max.ms", "200");
        result.put("delivery.timeout.ms", "120000");
        result.put("request.timeout.ms", "5000");
        result.put("buffer.memory", "8000000");
        result.put("batch.size", "4000");
        return result;
    }

    private static void produce(
            String topic, int partitions, int producer, int perSecond, String padding,
            String bootstrap, AtomicBoolean stop, PrintStream out) {
        try (KafkaProducer<String, String> client = new KafkaProducer<>(settings(bootstrap))) {
            long started = System.nanoTime();
            for (long sent = 0; !stop.get(); sent++) {
                int partition = (int) (sent % partitions);
                long number = sent / partitions;
                String name = producer + " " + partition + " " + number;
                client.send(
                    new ProducerRecord<>(topic, partition, "" + producer, name + " " + padding),
                    (metadata, error) -> report(out, name, error, error == null ? metadata.offset() : -1));
                long due = started + (sent + 1) * 1_000_000_000L / perSecond;
                while (System.nanoTime() < due && !stop.get()) Thread.sleep(1);
            }
        } catch (Exception error) {
            report(out, producer + " -1 -1", error, -1);
        }
    }

    private static void report(PrintStream out, String name, Exception error, long offset) {
        synchronized (out) {
            if (error == null) out.println("A " + name + " " + offset);
            else out.println("F " + name + " " + error.getClass().getSimpleName() + " " + error.getMessage());
        }
    }
}
