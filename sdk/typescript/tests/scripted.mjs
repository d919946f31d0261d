import { createServer } from "node:net";

export const answer = (status, body, headers = "") => `HTTP/1.1 ${status} X\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n${headers}\r\n${body}`;

/** A server that answers with one of these texts after the other, each on a connection of its own. */
export async function scripted(answers, use) {
  const left = [...answers];
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.end(left.shift() ?? ""));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  try {
    await use(`http://127.0.0.1:${server.address().port}`);
  } finally {
    server.close();
  }
}
