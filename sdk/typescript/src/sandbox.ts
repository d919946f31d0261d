import "./dispose.js";
import { type CallOptions, type Client, type ClientOptions, clientFor, firstList, streamFrom } from "./client.js";
import { Commands } from "./commands.js";
import { NotFoundError } from "./errors.js";
import { Files } from "./files.js";
import { type Checkpoint, camel, type Json, type Logs, RunResult, type SandboxInfo, type Snapshot, snake, type Template } from "./models.js";

/** What a sandbox is made of, and where. */
export interface SandboxOptions extends ClientOptions {
  /** What to fork. */
  template?: string;
  /** The language of its interpreter. Default of this SDK, when nothing else is named to make it of: node (of the HTTP interface: python). */
  language?: string;
  /** A saved sandbox, to go on from there. */
  snapshot?: string | Snapshot;
  /** An image, for a sandbox without an interpreter of Ramet's. */
  image?: string;
  /** Limit for programs and the files that they write. */
  memoryMb?: number;
  /** When it ends by itself, seconds from now. Default: 300. */
  timeoutSeconds?: number;
  /** Names and values of your own; `client.sandboxes` filters by them. */
  metadata?: Record<string, string>;
  env?: Record<string, string>;
  cwd?: string;
  /** What it may reach. */
  network?: "none" | "loopback";
  /** Bytes that a run or a process may print. */
  maxOutput?: number;
  /** Pause it when nothing was asked of it for so long. */
  autoPauseSeconds?: number;
  /** Make a checkpoint before each run. */
  checkpointEveryRun?: boolean;
  /** The server; or name it by `url` and `apiKey`, or in the environment. */
  client?: Client;
}

/** How code is run in a sandbox. */
export interface RunOptions extends CallOptions {
  /** Wall time; then the code is interrupted. */
  timeoutSeconds?: number;
  /** Variables to set, for good; null removes one. */
  env?: Record<string, string | null>;
  /** Directory to change to, for good. */
  cwd?: string;
  /** Called with what is printed, as it is printed; awaited. What it throws interrupts the code. */
  onStdout?: (text: string) => unknown;
  onStderr?: (text: string) => unknown;
}

/**
 * A virtual machine with a warm interpreter, processes and files. It is made when it is first used:
 *
 *     await using sb = new Sandbox();
 *     console.log(String(await sb.run("console.log(1 + 1)")));
 *
 * The language is JavaScript (node) unless `language` or `template` says otherwise. It ends by `delete()`, when it is left by `await using`, or when its `timeoutSeconds` are over.
 */
export class Sandbox implements AsyncDisposable {
  readonly client: Client;
  readonly files: Files;
  readonly commands: Commands;
  #creation: Json | undefined;
  #id: string | undefined;
  #making: Promise<string> | undefined;

  constructor(options: SandboxOptions = {}) {
    const { client: _, url: __, apiKey: ___, retries: ____, fetch: _____, snapshot, ...members } = options;
    this.client = clientFor(options);
    const named = members.template !== undefined || members.image !== undefined || snapshot !== undefined;
    this.#creation = snake({ language: named ? undefined : "node", ...members, snapshot: typeof snapshot === "object" ? snapshot.id : snapshot });
    this.files = new Files(this);
    this.commands = new Commands(this);
  }

  /** Makes a sandbox at once. */
  static async create(options: SandboxOptions = {}): Promise<Sandbox> {
    const sandbox = new Sandbox(options);
    await sandbox.ready();
    return sandbox;
  }

  /** A sandbox that there is already. A NotFoundError says that it is over. */
  static async connect(id: string, options: ClientOptions & { client?: Client } = {}): Promise<Sandbox> {
    const client = clientFor(options);
    return Sandbox.#of(client, (await client.getSandbox(id)).id);
  }

  static #of(client: Client, id: string): Sandbox {
    const sandbox = new Sandbox({ client });
    sandbox.#creation = undefined;
    sandbox.#id = id;
    return sandbox;
  }

  /** Names it at the server; undefined until it is made. */
  get id(): string | undefined {
    return this.#id;
  }

  /** Makes it, unless that is done. Gives its id. */
  async ready(): Promise<string> {
    if (this.#id !== undefined) return this.#id;
    this.#making ??= this.client.json("POST", "/v1/sandboxes", { json: this.#creation ?? {} }).then(
      (answer) => (this.#id = String(answer["id"])),
      (error: unknown) => {
        this.#making = undefined;
        throw error;
      },
    );
    return this.#making;
  }

  /** Its path at the server. */
  async path(rest = ""): Promise<string> {
    return `/v1/sandboxes/${encodeURIComponent(await this.ready())}${rest}`;
  }

  /** Runs code in the warm interpreter. Names stay defined from run to run; one run at a time. Aborting interrupts the code. */
  async run(code: string, options: RunOptions = {}): Promise<RunResult> {
    const { signal, onStdout, onStderr, ...members } = options;
    const json = snake({ code, ...members });
    const path = await this.path("/run");
    if (!onStdout && !onStderr && (options.timeoutSeconds ?? 0) < streamFrom) return new RunResult(await this.client.json("POST", path, { json, signal }));
    const { data, stdout, stderr } = await this.client.stream("POST", path, { json, signal }, options);
    return new RunResult(data, stdout, stderr);
  }

  /** State, memory, and when it ends. */
  async info(options: CallOptions = {}): Promise<SandboxInfo> {
    return camel<SandboxInfo>(await this.client.json("GET", await this.path(), options));
  }

  /** It is to end after this time from now. */
  async extend(timeoutSeconds: number, options: CallOptions = {}): Promise<SandboxInfo> {
    return camel<SandboxInfo>(await this.client.json("PATCH", await this.path(), { json: { timeout_seconds: timeoutSeconds }, ...options }));
  }

  /** Replaces what is noted with it. */
  async setMetadata(metadata: Record<string, string>, options: CallOptions = {}): Promise<SandboxInfo> {
    return camel<SandboxInfo>(await this.client.json("PATCH", await this.path(), { json: { metadata }, ...options }));
  }

  /** Stops it; its memory is kept. Until it is resumed nothing else can be asked of it (409). */
  async pause(options: CallOptions = {}): Promise<SandboxInfo> {
    return camel<SandboxInfo>(await this.client.json("POST", await this.path("/pause"), options));
  }

  /** Lets it go on. */
  async resume(options: CallOptions = {}): Promise<SandboxInfo> {
    return camel<SandboxInfo>(await this.client.json("POST", await this.path("/resume"), options));
  }

  /** So many copies of it as it is now, with its variables, files and processes. It goes on itself. */
  async fork(count = 1, options: CallOptions & { timeoutSeconds?: number; metadata?: Record<string, string> } = {}): Promise<Sandbox[]> {
    const { signal, ...members } = options;
    const answer = await this.client.json("POST", await this.path("/fork"), { json: snake({ count, ...members }), signal });
    return (answer["sandboxes"] as Json[]).map((one) => Sandbox.#of(this.client, String(one["id"])));
  }

  /** Makes a template of it as it is now: `new Sandbox({ template: name })` has all that it has loaded and defined. Nothing may run in it; it goes on. */
  async saveTemplate(name: string, options: CallOptions = {}): Promise<Template> {
    return camel<Template>(await this.client.json("POST", "/v1/templates", { json: { name, sandbox: await this.ready() }, ...options }));
  }

  /** Saves it as it is now. `new Sandbox({ snapshot })` goes on from there, also after the server was restarted. */
  async snapshot(name?: string, options: CallOptions = {}): Promise<Snapshot> {
    return camel<Snapshot>(await this.client.json("POST", await this.path("/snapshots"), { json: snake({ name }), ...options }));
  }

  /** Notes this moment, for `rewind` and `diff`. */
  async checkpoint(name?: string, options: CallOptions = {}): Promise<Checkpoint> {
    return camel<Checkpoint>(await this.client.json("POST", await this.path("/checkpoints"), { json: snake({ name }), ...options }));
  }

  /** The moments that were noted. */
  async checkpoints(options: CallOptions = {}): Promise<Checkpoint[]> {
    return firstList(await this.client.json("GET", await this.path("/checkpoints"), options)).map((one) => camel<Checkpoint>(one));
  }

  /** Forgets a moment. */
  async deleteCheckpoint(checkpoint: string | Checkpoint, options: CallOptions = {}): Promise<void> {
    await this.client.json("DELETE", await this.path(`/checkpoints/${encodeURIComponent(nameOf(checkpoint))}`), options);
  }

  /** Takes everything, memory and files, back to that moment. */
  async rewind(checkpoint: string | Checkpoint, options: CallOptions = {}): Promise<void> {
    await this.client.json("POST", await this.path("/rewind"), { json: { checkpoint: nameOf(checkpoint) }, ...options });
  }

  /** What has changed from one checkpoint to another, or to now. `content` also gives the contents of files. */
  async diff(options: CallOptions & { from?: string | Checkpoint; to?: string | Checkpoint; content?: boolean } = {}): Promise<Json> {
    const query = { from: options.from && nameOf(options.from), to: options.to && nameOf(options.to), content: options.content || undefined };
    return this.client.json("GET", await this.path("/diff"), { query, signal: options.signal });
  }

  /** What it has used: CPU, memory, and more. */
  async metrics(options: CallOptions = {}): Promise<Json> {
    return this.client.json("GET", await this.path("/metrics"), options);
  }

  /** What happened to it, and the last output of its interpreter, also between runs. */
  async logs(options: CallOptions = {}): Promise<Logs> {
    const answer = await this.client.json("GET", await this.path("/logs"), options);
    return { events: (answer["events"] as Json[]).map((one) => camel<Logs["events"][0]>(one)), output: String(answer["output"]) };
  }

  /** Ends it. A NotFoundError says that it is over already. */
  async delete(options: CallOptions = {}): Promise<void> {
    await this.client.json("DELETE", await this.path(), options);
  }

  /** Ends it, if it was made and is not over. */
  async close(): Promise<void> {
    if (this.#id === undefined && !(await this.#making?.catch(() => undefined))) return;
    await this.delete().catch((error: unknown) => {
      if (!(error instanceof NotFoundError)) throw error;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

const nameOf = (checkpoint: string | Checkpoint): string => (typeof checkpoint === "string" ? checkpoint : checkpoint.id);
