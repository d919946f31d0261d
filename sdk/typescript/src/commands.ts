import type { CallOptions } from "./client.js";
import { ConflictError, RametError } from "./errors.js";
import { readEvents } from "./events.js";
import { type CommandOutput, CommandResult, camel, type Json, type ProcessInfo, snake } from "./models.js";
import type { Sandbox } from "./sandbox.js";

/** How a program is started. */
export interface StartOptions extends CallOptions {
  env?: Record<string, string>;
  cwd?: string;
  /** USER or USER:GROUP. */
  user?: string;
  /** What it reads; nothing else, unless `keepStdin`. */
  stdin?: string;
  /** Its input stays open for `sendStdin`. */
  keepStdin?: boolean;
  /** Gives it a terminal of this size; its output is all stdout then. */
  tty?: { rows: number; columns: number };
}

/** Who listens while a program runs. What is returned is awaited. */
export interface Listeners extends CallOptions {
  onStdout?: (text: string) => unknown;
  onStderr?: (text: string) => unknown;
}

/** How a program is run to its end. */
export interface CommandOptions extends Omit<StartOptions, "keepStdin" | "tty">, Listeners {
  /** Then it is killed, and the result has `timedOut` and exit code 124. */
  timeoutSeconds?: number;
}

/** A program that was started. `sb.commands.attach(pid)` finds it again. */
export class Process {
  readonly #sandbox: Sandbox;
  #killedLate = false;

  constructor(
    sandbox: Sandbox,
    /** Its number in the sandbox. */
    readonly pid: number,
  ) {
    this.#sandbox = sandbox;
  }

  /** Whether it runs, and its exit code. */
  async info(options: CallOptions = {}): Promise<ProcessInfo> {
    return camel<ProcessInfo>(await this.#sandbox.client.json("GET", await this.#path(), options));
  }

  /** What it prints, as it comes, until it ends: first what was kept (the last MiB). Can be asked for again at any time. */
  async *output(options: CallOptions = {}): AsyncGenerator<CommandOutput, void, void> {
    const response = await this.#sandbox.client.request("GET", await this.#path("/output"), { accept: "text/event-stream", signal: options.signal });
    for await (const event of readEvents(response.body!, options.signal)) {
      if (event.name === "stdout" || event.name === "stderr") yield { stream: event.name, text: event.data["text"] as string };
    }
  }

  /** Waits for its end, and gives what it has printed (what was kept of that, if nobody was attached before). Aborting leaves it running. */
  async wait(options: Listeners = {}): Promise<CommandResult> {
    const { data, stdout, stderr } = await this.#sandbox.client.stream("GET", await this.#path("/output"), { signal: options.signal }, options, "exit");
    return new CommandResult(this.pid, stdout, stderr, this.#killedLate ? 124 : Number(data["exit_code"]), this.#killedLate);
  }

  /** Sends it and its group a signal, such as "TERM" or 15. false: it has ended already. */
  async kill(signal: string | number = "KILL", options: CallOptions = {}): Promise<boolean> {
    try {
      await this.#sandbox.client.json("POST", await this.#path("/signal"), { json: { signal: String(signal) }, ...options });
      return true;
    } catch (error) {
      if (error instanceof ConflictError) return false;
      throw error;
    }
  }

  /** Kills it because its time is over. */
  async killLate(): Promise<void> {
    // First: its end may be told before the answer to the signal.
    this.#killedLate = true;
    this.#killedLate = await this.kill().catch(() => false);
  }

  /** Gives it input. It must have been started with `keepStdin` or a terminal. */
  async sendStdin(data: string | Uint8Array, options: CallOptions = {}): Promise<void> {
    await this.#sandbox.client.json("POST", await this.#path("/stdin"), { body: data as BodyInit, ...options });
  }

  /** It reads the end of the file. */
  async closeStdin(options: CallOptions = {}): Promise<void> {
    await this.#sandbox.client.json("POST", await this.#path("/stdin"), { body: "", query: { close: true }, ...options });
  }

  /** Sets the size of its terminal anew. */
  async resize(rows: number, columns: number, options: CallOptions = {}): Promise<void> {
    await this.#sandbox.client.json("POST", await this.#path("/resize"), { json: { rows, columns }, ...options });
  }

  #path(rest = ""): Promise<string> {
    return this.#sandbox.path(`/processes/${this.pid}${rest}`);
  }
}

/** `sb.commands`: starts programs. */
export class Commands {
  readonly #sandbox: Sandbox;

  constructor(sandbox: Sandbox) {
    this.#sandbox = sandbox;
  }

  /** Runs a program to its end: a line for /bin/sh, or a list of the program and its arguments. Aborting kills it. */
  async run(command: string | string[], options: CommandOptions = {}): Promise<CommandResult> {
    const { timeoutSeconds, onStdout, onStderr, ...rest } = options;
    const process = await this.#startOrKill(command, rest);
    const timer = timeoutSeconds === undefined ? undefined : setTimeout(() => void process.killLate(), timeoutSeconds * 1000);
    try {
      return await process.wait({ onStdout, onStderr, signal: options.signal });
    } catch (error) {
      // Nobody is there to take its output.
      await process.kill().catch((late: unknown) => {
        if (!(late instanceof RametError)) throw late;
      });
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The process, or the signal's reason: one that starts nevertheless is killed as soon as its number is known. */
  async #startOrKill(command: string | string[], options: StartOptions): Promise<Process> {
    const { signal, ...rest } = options;
    if (!signal) return await this.start(command, rest);
    signal.throwIfAborted();
    const starting = this.start(command, rest);
    let abort = () => {};
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(signal.reason);
      signal.addEventListener("abort", abort);
    });
    try {
      return await Promise.race([starting, aborted]);
    } catch (error) {
      if (signal.aborted) void starting.then((process) => process.kill()).catch(() => {});
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Starts a program and returns at once. */
  async start(command: string | string[], options: StartOptions = {}): Promise<Process> {
    const { signal, ...members } = options;
    const json = snake({ ...members, ...(typeof command === "string" ? { shell: command } : { command }) });
    return new Process(this.#sandbox, Number((await this.#sandbox.client.json("POST", await this.#sandbox.path("/processes"), { json, signal }))["pid"]));
  }

  /** A program that was started before, perhaps by another client. A NotFoundError says that there is none. */
  async attach(pid: number, options: CallOptions = {}): Promise<Process> {
    const process = new Process(this.#sandbox, pid);
    await process.info(options);
    return process;
  }

  /** Programs that were started here, also the last that have ended. */
  async list(options: CallOptions = {}): Promise<ProcessInfo[]> {
    const answer = await this.#sandbox.client.json("GET", await this.#sandbox.path("/processes"), options);
    return (answer["processes"] as Json[]).map((one) => camel<ProcessInfo>(one));
  }
}
