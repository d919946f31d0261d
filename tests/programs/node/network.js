// http, https-less fetch, net, dgram, dns of localhost and Unix sockets over loopback; cluster.
'use strict';
const assert = require('node:assert');
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const http = require('node:http');
const net = require('node:net');

const listen = (server, ...where) => new Promise((resolve, reject) => server.once('error', reject).listen(...where, () => resolve(server.address())));

async function main() {
  const server = http.createServer((request, response) => {
    let length = 0;
    request.on('data', (data) => { length += data.length; });
    request.on('end', () => {
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify({ method: request.method, url: request.url, length }));
    });
  });
  const { port } = await listen(server, 0, '127.0.0.1');
  const answer = await (await fetch(`http://127.0.0.1:${port}/path?q=1`, { method: 'POST', body: 'x'.repeat(1_000_000) })).json();
  assert.deepStrictEqual(answer, { method: 'POST', url: '/path?q=1', length: 1_000_000 });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
  const get = (path) => new Promise((resolve, reject) => http.get({ port, host: '127.0.0.1', path, agent }, (response) => {
    let body = '';
    response.setEncoding('utf8').on('data', (data) => { body += data; }).on('end', () => resolve(JSON.parse(body)));
  }).on('error', reject));
  const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => get(`/${i}`)));
  assert(answers.every((answer, i) => answer.url === `/${i}`));
  agent.destroy();
  server.close();
  server.closeAllConnections();

  await assert.rejects(new Promise((_, reject) => http.get({ port, host: '127.0.0.1', agent: false }).on('error', reject)), { code: 'ECONNREFUSED' });

  // By name, over IPv6 or IPv4.
  const named = net.createServer((socket) => socket.pipe(socket));
  const address = await listen(named, 0, 'localhost');
  const echo = await new Promise((resolve, reject) => {
    const socket = net.connect(address.port, 'localhost', () => socket.end('hello'));
    socket.on('data', (data) => resolve(data.toString())).on('error', reject);
  });
  assert.strictEqual(echo, 'hello');
  named.close();

  const unix = net.createServer((socket) => socket.end('unix'));
  await listen(unix, '/tmp/network.sock');
  const text = await new Promise((resolve) => net.connect('/tmp/network.sock').on('data', (data) => resolve(data.toString())));
  assert.strictEqual(text, 'unix');
  unix.close();

  const receiver = dgram.createSocket('udp4');
  await new Promise((resolve) => receiver.bind(0, '127.0.0.1', resolve));
  const got = new Promise((resolve) => receiver.on('message', (message, from) => resolve(`${message} ${from.address}`)));
  const sender = dgram.createSocket('udp4');
  sender.send('datagram', receiver.address().port, '127.0.0.1');
  assert.strictEqual(await got, 'datagram 127.0.0.1');
  sender.close();
  receiver.close();

  // Two processes accept on one port.
  const workers = [cluster.fork(), cluster.fork()];
  const ports = await Promise.all(workers.map((worker) => new Promise((resolve) => worker.on('listening', (address) => resolve(address.port)))));
  assert.strictEqual(ports[0], ports[1]);
  const pids = new Set();
  for (let i = 0; i < 10; i++) pids.add(await (await fetch(`http://127.0.0.1:${ports[0]}/`, { headers: { connection: 'close' } })).text());
  assert.strictEqual(pids.size, 2);
  const exits = workers.map((worker) => new Promise((resolve) => worker.on('exit', resolve)));
  for (const worker of workers) worker.kill();
  await Promise.all(exits);
  console.log('network ok');
}

if (cluster.isPrimary) main().catch((error) => { console.error(error); process.exitCode = 1; });
else http.createServer((_, response) => response.end(String(process.pid))).listen(8124, '127.0.0.1');
