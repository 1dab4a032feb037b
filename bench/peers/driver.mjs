// A client program under measurement: reads one JSON command a line on stdin, prints one JSON answer a line.
// Bytes are counted where they travel, on the sockets; requests where the HTTP client makes them.
import net from 'node:net';
import readline from 'node:readline';
import diagnostics from 'node:diagnostics_channel';

const sockets = new Set();
let closed = 0;
let requests = 0;
const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...args) {
  sockets.add(this);
  this.once('close', () => {
    closed += this.bytesRead + this.bytesWritten;
    sockets.delete(this);
  });
  return connect.apply(this, args);
};
for (const channel of ['undici:request:create', 'http.client.request.start']) {
  diagnostics.subscribe(channel, () => requests++);
}

export function traffic() {
  let bytes = closed;
  for (const socket of sockets) bytes += socket.bytesRead + socket.bytesWritten;
  return { requests, bytes };
}

// Milliseconds, requests and bytes of what `work` does.
export async function measured(work) {
  const before = traffic();
  const start = performance.now();
  const value = await work();
  const ms = performance.now() - start;
  const after = traffic();
  return { ms, requests: after.requests - before.requests, bytes: after.bytes - before.bytes, value };
}

export function serve(commands) {
  const lines = readline.createInterface({ input: process.stdin });
  let last = Promise.resolve();
  lines.on('line', (line) => {
    last = last.then(async () => {
      const { command, ...rest } = JSON.parse(line);
      try {
        console.log(JSON.stringify({ ok: (await commands[command](rest)) ?? null }));
      } catch (error) {
        console.log(JSON.stringify({ error: String(error?.stack ?? error).slice(0, 500) }));
      }
    });
  });
  lines.on('close', () => last.then(() => process.exit(0)));
}

export const fieldOf = (number) => `device${number}`;
export const edited = (body, field, turn) => ({ ...body, [field]: `${body[field] ?? ''} ${turn}`.trim() });
export const middle = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
