import type { CommandResult, ExecResult, RunResult } from "./models.js";

/** The base of all errors of this package. */
export class RametError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The server cannot be reached, or the connection broke before the answer was complete. */
export class TransportError extends RametError {}

/** Thrown by `result.check()`: the code or command did not end well. */
export class CodeError extends RametError {
  constructor(message: string, readonly result: RunResult | ExecResult | CommandResult) {
    super(message);
  }
}

/** The server refused a request (RFC 9457 problem details). */
export class ApiError extends RametError {
  constructor(
    /** The HTTP status. */
    readonly status: number,
    /** The kind of problem in a few words. */
    readonly title: string,
    /** What is wrong and what to do. */
    readonly detail: string,
    /** Names the request in the server's log. */
    readonly requestId?: string,
    /** Seconds after which to try again (429 and 503). */
    readonly retryAfter?: number,
  ) {
    super(`${status} ${title}: ${detail}${requestId ? ` (request ${requestId})` : ""}`);
  }
}

/** 400 and other statuses below 500 that have no class of their own: the request cannot be used. */
export class BadRequestError extends ApiError {}
/** 401: there is no key, or it is not accepted. */
export class AuthenticationError extends ApiError {}
/** 403: the key lacks a scope. */
export class PermissionDeniedError extends ApiError {}
/** 404: no such sandbox, process, file or snapshot; or it is over. */
export class NotFoundError extends ApiError {}
/** 409: not in this state, such as a directory that is not empty. */
export class ConflictError extends ApiError {}
/** 413: more than the server takes in one request. */
export class TooLargeError extends ApiError {}
/** 429: the key does more than it may; see `retryAfter`. */
export class RateLimitError extends ApiError {}
/** 500 and above: the server failed. */
export class ServerError extends ApiError {}
/** 503: the server is full, or about to end; see `retryAfter`. */
export class UnavailableError extends ServerError {}
/** 507: the memory of the sandbox is full. */
export class StorageFullError extends ServerError {}

const byStatus: Record<number, typeof ApiError> = {
  401: AuthenticationError,
  403: PermissionDeniedError,
  404: NotFoundError,
  409: ConflictError,
  413: TooLargeError,
  429: RateLimitError,
  503: UnavailableError,
  507: StorageFullError,
};

/** The error that an answer tells of. */
export async function errorOf(response: Response): Promise<ApiError> {
  const requestId = response.headers.get("x-request-id") ?? undefined;
  const text = await response.text().catch(() => "");
  const after = Number(response.headers.get("retry-after") ?? NaN);
  const retryAfter = Number.isNaN(after) ? undefined : after;
  try {
    return errorOfProblem(response.status, JSON.parse(text) as Record<string, unknown>, requestId, retryAfter);
  } catch {
    // Something between here and the server has answered.
    return errorOfProblem(response.status, { detail: text.slice(0, 500).trim() }, requestId, retryAfter);
  }
}

/** The error that a problem document tells of. */
export function errorOfProblem(status: number, problem: Record<string, unknown>, requestId?: string, retryAfter?: number): ApiError {
  const Kind = byStatus[status] ?? (status >= 500 ? ServerError : BadRequestError);
  const title = String(problem["title"] ?? `HTTP ${status}`);
  const detail = String(problem["detail"] ?? problem["error"] ?? "");
  return new Kind(status, title, detail, (problem["request_id"] as string | undefined) ?? requestId, retryAfter);
}

/** The error that callers see when fetch fails: their own, when they aborted. */
export function brokenBy(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof RametError) return error;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const text = cause instanceof Error ? cause.message || (cause as { code?: string }).code || cause.name : String(cause);
  return new TransportError(`The server cannot be reached, or the connection broke: ${text}. Is \`ramet serve\` running, and RAMET_URL right?`, { cause: error });
}
