import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** What a proxy does with a request: what it returns takes the answer's place. */
export type Meddler = (path: string, answer: Buffer) => Buffer | null | Promise<Buffer | null>;

/** A proxy in front of a server, which can be moved, cut off and made to lie. */
export type TestProxy = {
  readonly url: string;
  /** Paths asked for, in order. */
  readonly paths: string[];
  /** Where the server is; null: there is none. */
  upstream: string | null;
  /** Given every answer but streams; null breaks the connection. */
  meddle: Meddler | null;
  /** Given the status of every answer but streams. */
  meddleStatus: ((path: string, status: number) => number) | null;
  /** Given each part of a stream. */
  meddleStream: ((part: Buffer) => Buffer) | null;
  /** Breaks every connection that is open. */
  cut(): void;
  close(): Promise<void>;
};

export async function startProxy(upstream: string): Promise<TestProxy> {
  const server = createServer((incoming, outgoing) => {
    forward(proxy, incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const proxy: TestProxy = {
    url: `http://127.0.0.1:${port}`,
    paths: [],
    upstream,
    meddle: null,
    meddleStatus: null,
    meddleStream: null,
    cut: () => server.closeAllConnections(),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}

async function forward(
  proxy: TestProxy,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const path = incoming.url ?? '/';
  proxy.paths.push(path);
  if (proxy.upstream === null) return void outgoing.destroy();
  const { method, headers } = incoming;
  const body = await buffer(incoming);
  const sent = request(new URL(path, proxy.upstream), { method, headers });
  outgoing.on('close', () => sent.destroy());
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  if (answer.headers['content-type'] === 'text/event-stream') {
    outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
    outgoing.flushHeaders();
    for await (const part of answer) outgoing.write(proxy.meddleStream?.(part) ?? part);
    return void outgoing.destroy();
  }
  const content = await buffer(answer);
  const meddled = proxy.meddle ? await proxy.meddle(path, content) : content;
  if (meddled === null) return void outgoing.destroy();
  const length = { 'content-length': String(meddled.byteLength) };
  const { statusCode = 500, headers: given } = answer;
  const status = proxy.meddleStatus?.(path, statusCode) ?? statusCode;
  outgoing.writeHead(status, { ...given, ...length });
  outgoing.end(meddled);
}
