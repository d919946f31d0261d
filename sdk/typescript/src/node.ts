// For Node.js (and what has its modules): files and folders of this machine.
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { CallOptions } from "./client.js";
import { RametError } from "./errors.js";
import type { Sandbox } from "./sandbox.js";

/** Copies a file, or the content of a directory, from this machine into the sandbox. Symbolic links are followed. Streamed, whatever its size. */
export async function upload(sandbox: Sandbox, local: string, remote: string, options: CallOptions = {}): Promise<void> {
  const status = await stat(local);
  if (status.isDirectory()) {
    await sandbox.files.mkdir(remote, options);
    for (const name of (await readdir(local)).sort()) await upload(sandbox, join(local, name), `${remote}/${name}`, options);
  } else if (status.isFile()) {
    const content = status.size === 0 ? "" : (Readable.toWeb(createReadStream(local)) as ReadableStream<Uint8Array>);
    await sandbox.files.write(remote, content, { mode: status.mode & 0o777, ...options });
  }
}

/** Copies a file, or the content of a directory, from the sandbox to this machine: files and directories; symbolic links are left out, so that nothing is written outside `local`. */
export async function download(sandbox: Sandbox, remote: string, local: string, options: CallOptions = {}): Promise<void> {
  if ((await sandbox.files.stat(remote, options)).type !== "directory") return downloadFile(sandbox, remote, local, options);
  await mkdir(local, { recursive: true });
  for (const entry of await sandbox.files.list(remote, options)) {
    // The sandbox has chosen the name.
    if (/[/\\\0]/.test(entry.name) || entry.name === ".." || entry.name === ".") throw new RametError(`The name '${entry.name}' leads out of the directory.`);
    if (entry.type === "directory") await download(sandbox, `${remote}/${entry.name}`, join(local, entry.name), options);
    else if (entry.type === "file") await downloadFile(sandbox, `${remote}/${entry.name}`, join(local, entry.name), options);
  }
}

async function downloadFile(sandbox: Sandbox, remote: string, local: string, options: CallOptions): Promise<void> {
  const content = await sandbox.files.readStream(remote, options);
  await pipeline(Readable.fromWeb(content as import("node:stream/web").ReadableStream), createWriteStream(local));
}
