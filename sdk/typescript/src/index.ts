import "./dispose.js";

export { Client, exec, execBatch } from "./client.js";
export type { CallOptions, ClientOptions, ExecOptions, OutputListeners } from "./client.js";
export { Commands, Process } from "./commands.js";
export type { CommandOptions, Listeners, StartOptions } from "./commands.js";
export {
  ApiError, AuthenticationError, BadRequestError, CodeError, ConflictError, NotFoundError, PermissionDeniedError, RametError, RateLimitError, ServerError, StorageFullError, TooLargeError,
  TransportError, UnavailableError,
} from "./errors.js";
export { Files } from "./files.js";
export type { FileSource } from "./files.js";
export { CommandResult, ExecResult, Output, RunResult } from "./models.js";
export type {
  Checkpoint, CodeException, CommandOutput, Content, FileChange, FileInfo, Health, Json, Logs, ProcessInfo, SandboxInfo, Snapshot, Template,
} from "./models.js";
export { Sandbox } from "./sandbox.js";
export type { RunOptions, SandboxOptions } from "./sandbox.js";
