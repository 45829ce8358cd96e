/**
 * Deno 2.9 frees an HTTP/2 session that is closed or destroyed from within one of its own events,
 * and then goes on reading the frames behind the one that caused the event: the process ends with
 * SIGSEGV. A GOAWAY with a PING behind it does so, which is how a gRPC server written in Go, such
 * as etcd, says that it stops (denoland/deno#36788 tells of the like). So sessions of clients end
 * one turn of the event loop later. gRPC opens them where nothing of ours is asked: by `connect`.
 */
import http2 from "node:http2";
import { setImmediate } from "node:timers";

type Ending = (...args: unknown[]) => void;

const ENDINGS = ["close", "destroy"] as const;

let guarded = false;

/** From here on, HTTP/2 sessions that are opened end outside of their events. Idempotent. */
export function endSessionsLater(): void {
  if (guarded) return;
  guarded = true;
  const connect = http2.connect as (...args: unknown[]) => http2.ClientHttp2Session;
  (http2 as { connect: unknown }).connect = (...args: unknown[]) => {
    const session = connect.apply(http2, args);
    for (const name of ENDINGS) {
      const end = session[name].bind(session) as Ending;
      session[name] = (...args: unknown[]) => void setImmediate(() => end(...args));
    }
    return session;
  };
}
