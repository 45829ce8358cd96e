import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's command-line tools one after another in one JVM, each as its script would: a line
 * {"main":"CLASS","args":[…],"in":"…"} is answered by {"out":"…","err":"…","code":N}.
 */
public final class ToolHost {
    private static final ObjectMapper JSON = new ObjectMapper();

    private static final class Exited extends Error {
        Exited() {
            super(null, null, false, false);
        }
    }

    /** What a tool wants done at its end: the console producer sends what it still has. */
    private static final List<Runnable> HOOKS = new ArrayList<>();

    /** The code of the tool's first exit: some tools catch what it throws, and exit once more. */
    private static Integer exitCode;

    private ToolHost() {}

    private static void exit(int code, String message) {
        if (message != null) System.err.println(message);
        if (exitCode == null) exitCode = code;
        throw new Exited();
    }

    public static void main(String[] args) throws Exception {
        System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "off");
        Exit.setExitProcedure(ToolHost::exit);
        Exit.setHaltProcedure(ToolHost::exit);
        Exit.setShutdownHookAdder((name, hook) -> HOOKS.add(hook));
        InputStream commands = System.in;
        PrintStream answers = System.out;
        BufferedReader in = new BufferedReader(new InputStreamReader(commands, StandardCharsets.UTF_8));
        answers.println("ready");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            answers.println(JSON.writeValueAsString(run(JSON.readTree(line))));
            answers.flush();
        }
        Runtime.getRuntime().halt(0);
    }

    private static Map<String, Object> run(JsonNode request) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
        System.setIn(new ByteArrayInputStream(request.path("in").asText("").getBytes(StandardCharsets.UTF_8)));
        String[] args = JSON.convertValue(request.get("args"), String[].class);
        exitCode = null;
        boolean failed = false;
        try {
            Class<?> tool = Class.forName(request.get("main").asText());
            tool.getMethod("main", String[].class).invoke(null, (Object) args);
        } catch (InvocationTargetException error) {
            failed = true;
            if (!(error.getCause() instanceof Exited)) error.getCause().printStackTrace();
        }
        HOOKS.forEach(Runnable::run);
        HOOKS.clear();
        int code = exitCode != null ? exitCode : failed ? 1 : 0;
        return Map.of("out", text(out), "err", text(err), "code", code);
    }

    private static String text(ByteArrayOutputStream bytes) {
        return bytes.toString(StandardCharsets.UTF_8);
    }
}
