// For programs that were written for zeroboot: change the import, and name the server. Each run has a fork of its own, as there.
import { Client } from "./client.js";
import { ApiError } from "./errors.js";
import type { Json } from "./models.js";

/** What code came to. */
export interface Result {
  id: string;
  stdout: string;
  stderr: string;
  exit_code: number;
  fork_time_ms: number;
  exec_time_ms: number;
  total_time_ms: number;
}

/** `timeout` is in seconds (30). The language is python unless said otherwise, as in zeroboot's SDK. */
export interface ExecOptions {
  language?: string;
  timeout?: number;
}

/** Runs code. Without a base URL the environment's RAMET_URL counts, or http://127.0.0.1:8080. */
export class Sandbox {
  readonly #client: Client;

  constructor(apiKey?: string, baseUrl?: string) {
    this.#client = new Client({ apiKey, url: baseUrl });
  }

  /** Runs code in a fork of its own. */
  async run(code: string, options?: ExecOptions): Promise<Result> {
    return (await this.#post("/v1/exec", body(code, options))) as unknown as Result;
  }

  /** Runs several pieces of code, several at the same time. Results are in the same order. */
  async runBatch(codes: string[], options?: ExecOptions): Promise<Result[]> {
    return (await this.#post("/v1/exec/batch", { executions: codes.map((code) => body(code, options)) }))["results"] as Result[];
  }

  async #post(path: string, json: Json): Promise<Json> {
    try {
      return await this.#client.json("POST", path, { json });
    } catch (error) {
      throw error instanceof ApiError ? new Error(`API error (${error.status}): ${error.detail}`, { cause: error }) : error;
    }
  }
}

function body(code: string, options?: ExecOptions): Json {
  return { code, language: options?.language ?? "python", timeout_seconds: options?.timeout ?? 30 };
}
