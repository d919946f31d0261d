import { brokenBy, errorOfProblem } from "./errors.js";
import type { Json } from "./models.js";

/** A server-sent event. */
export interface ServerEvent {
  name: string;
  data: Json;
}

/** Reads server-sent events (the HTML standard's text/event-stream). Leaving the loop early ends the connection. */
export async function* readEvents(body: ReadableStream<Uint8Array>, signal?: AbortSignal): AsyncGenerator<ServerEvent, void, void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let name = "message";
  let data: string[] = [];
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw brokenBy(error, signal);
      });
      ended = done;
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const raw of lines) {
        const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
        if (line === "") {
          const event = data.length > 0 ? { name, data: JSON.parse(data.join("\n")) as Json } : undefined;
          name = "message";
          data = [];
          // What became of it after the answer had begun, such as that the sandbox was paused.
          if (event?.name === "error") throw errorOfProblem(Number(event.data["status"] ?? 500), event.data);
          if (event) yield event;
          continue;
        }
        const colon = line.indexOf(":");
        const field = colon < 0 ? line : line.slice(0, colon);
        const text = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (field === "event") name = text;
        else if (field === "data") data.push(text);
      }
    }
  } finally {
    if (!ended) await reader.cancel().catch(() => undefined);
    reader.releaseLock();
  }
}
