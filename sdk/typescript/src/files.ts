import type { CallOptions, RequestOptions } from "./client.js";
import { NotFoundError } from "./errors.js";
import { readEvents } from "./events.js";
import { camel, type FileChange, type FileInfo, type Json } from "./models.js";
import type { Sandbox } from "./sandbox.js";

/** The content of a file to be. Blobs (also files of a browser) and streams are not held in memory. */
export type FileSource = string | Uint8Array | ArrayBuffer | Blob | ReadableStream<Uint8Array>;

const info = (data: Json): FileInfo => ({ ...camel<FileInfo>(data), mode: parseInt(String(data["mode"]), 8) });

/** `sb.files`. A relative path begins in the interpreter's working directory. A path that is not there is a NotFoundError. */
export class Files {
  readonly #sandbox: Sandbox;

  constructor(sandbox: Sandbox) {
    this.#sandbox = sandbox;
  }

  /** A file's content. */
  async read(path: string, options: CallOptions = {}): Promise<Uint8Array> {
    return new Uint8Array(await (await this.#request("GET", "/content", { query: { path }, accept: "*/*", ...options })).arrayBuffer());
  }

  /** A file's content as text (UTF-8). */
  async readText(path: string, options: CallOptions = {}): Promise<string> {
    return (await this.#request("GET", "/content", { query: { path }, accept: "*/*", ...options })).text();
  }

  /** A file's content as a stream. */
  async readStream(path: string, options: CallOptions = {}): Promise<ReadableStream<Uint8Array>> {
    return (await this.#request("GET", "/content", { query: { path }, accept: "*/*", ...options })).body!;
  }

  /** Writes a file; directories that are missing are made. `mode`: permission bits, such as 0o755. */
  async write(path: string, content: FileSource, options: CallOptions & { mode?: number } = {}): Promise<void> {
    await this.#request("PUT", "/content", { query: { path, mode: options.mode?.toString(8) }, body: content as BodyInit, signal: options.signal });
  }

  /** Entries of a directory, ordered by name. */
  async list(path = ".", options: CallOptions = {}): Promise<FileInfo[]> {
    const answer = await this.#sandbox.client.json("GET", await this.#sandbox.path("/files"), { query: { path }, ...options });
    return (answer["entries"] as Json[]).map(info);
  }

  /** Type, size, mode, owner, time. `follow: false` says what a symbolic link itself is. */
  async stat(path: string, options: CallOptions & { follow?: boolean } = {}): Promise<FileInfo> {
    const query = { path, follow: options.follow === false ? false : undefined };
    return info(await this.#sandbox.client.json("GET", await this.#sandbox.path("/files/stat"), { query, signal: options.signal }));
  }

  /** Whether there is something of this name. */
  async exists(path: string, options: CallOptions = {}): Promise<boolean> {
    try {
      await this.stat(path, options);
      return true;
    } catch (error) {
      if (error instanceof NotFoundError) return false;
      throw error;
    }
  }

  /** Makes a directory, those above it, and takes one that is there already; `parents: false` does not. */
  async mkdir(path: string, options: CallOptions & { parents?: boolean } = {}): Promise<void> {
    await this.#request("POST", "/mkdir", { json: { path, parents: options.parents ?? true }, signal: options.signal });
  }

  /** Moves or renames; a file that is there is replaced. */
  async move(from: string, to: string, options: CallOptions = {}): Promise<void> {
    await this.#request("POST", "/move", { json: { from, to }, ...options });
  }

  /** Removes a file or an empty directory; with `recursive` also all below it. */
  async remove(path: string, options: CallOptions & { recursive?: boolean } = {}): Promise<void> {
    await this.#request("DELETE", "", { query: { path, recursive: options.recursive || undefined }, signal: options.signal });
  }

  /** Unpacks a tar archive into a directory, which is made if it is missing. */
  async uploadArchive(path: string, archive: FileSource, options: CallOptions = {}): Promise<void> {
    await this.#request("PUT", "/archive", { query: { path }, body: archive as BodyInit, ...options });
  }

  /** A directory's content as a tar archive. Its names are the sandbox's: do not let them lead out of where you unpack it. */
  async downloadArchive(path: string, options: CallOptions = {}): Promise<ReadableStream<Uint8Array>> {
    return (await this.#request("GET", "/archive", { query: { path }, accept: "*/*", ...options })).body!;
  }

  /** Changes in a directory, from now on, as they happen: `for await (const change of await sb.files.watch("src"))`. Without end: leave the loop, or abort. */
  async watch(path = ".", options: CallOptions & { recursive?: boolean } = {}): Promise<AsyncGenerator<FileChange, void, void>> {
    const query = { path, recursive: options.recursive || undefined };
    return changes(await this.#request("GET", "/watch", { query, accept: "text/event-stream", signal: options.signal }), options.signal);
  }

  async #request(method: string, what: string, options: RequestOptions): Promise<Response> {
    const response = await this.#sandbox.client.request(method, await this.#sandbox.path("/files" + what), options);
    // What has no content is read to its end, so that the connection can be used again.
    if (response.status === 204) await response.arrayBuffer();
    return response;
  }
}

async function* changes(response: Response, signal: AbortSignal | undefined): AsyncGenerator<FileChange, void, void> {
  for await (const event of readEvents(response.body!, signal)) {
    if (event.name === "change") yield camel<FileChange>(event.data);
  }
}
