import { createServer, type Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { LegonetError } from '../errors.js';
import { packageVersion } from '../store/package-version.js';
import { createApp } from './app.js';
import { Bodies } from './body.js';
import { Connections } from './connections.js';
import type { ServeOptions } from './deps.js';
import { storedMatrices } from './files.js';
import type { Document } from './open-api.js';
import { Predictor } from './predictor.js';
import type { Route } from './route.js';
import { ROUTES } from './routes.js';
import { Streams } from './streams.js';

/** An HTTP server that is listening. */
export type HttpService = {
  readonly url: string;
  /** Streams that are open. */
  readonly streams: () => number;
  /** Ends every stream, lets requests finish for a few seconds, and closes what is left. */
  close(): Promise<void>;
};

/** How long a request may take to arrive, its headers, and how long a socket may stand still. */
const REQUEST_MS = 30_000;
const HEADERS_MS = 10_000;
const STILL_MS = 60_000;
const CONNECTIONS = 4096;
const GRACE_MS = 3000;

/**
 * Listens, and answers by the routes. Throws `port_taken`, `port_denied` or `host_unusable`, each naming the setting.
 */
export async function startServer(
  options: ServeOptions,
  { host, port }: { readonly host: string; readonly port: number },
  routes: readonly Route[] = ROUTES,
): Promise<HttpService> {
  const predictor = new Predictor(options);
  const streams = new Streams({ ...options, onPublished: () => void predictor.refresh() });
  let described: Promise<Document> | undefined;
  const deps = {
    ...options,
    streams,
    predictor,
    bodies: new Bodies(),
    files: storedMatrices(options.model),
    document: () => {
      // What makes it is not needed until somebody asks.
      described ??= import('./open-api.js').then(({ openApi }) =>
        openApi(routes, packageVersion()),
      );
      return described;
    },
  };
  const limits = { requestTimeout: REQUEST_MS, headersTimeout: HEADERS_MS };
  const app = await createApp(deps, (listener) => createServer(limits, listener), routes);
  const { server } = app;
  const connections = new Connections(server);
  server.setTimeout(options.stillMs ?? STILL_MS);
  server.maxConnections = CONNECTIONS;
  try {
    await listening(server, host, port);
  } catch (error) {
    await streams.close();
    await app.close();
    throw error;
  }
  const address = server.address();
  const actual = typeof address === 'object' && address ? address.port : port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${actual}`,
    streams: () => streams.size,
    close: async () => {
      await streams.close();
      await closing(server, connections);
      await app.close();
    },
  };
}

async function listening(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    // Kept: an error later on, as when no file descriptor is left, must not end the process.
    server.on('error', reject);
    server.listen(port, host, resolve);
  }).catch((error) => {
    throw unable(error, host, port);
  });
}

function unable(error: NodeJS.ErrnoException, host: string, port: number): unknown {
  const cause = { cause: error };
  if (error.code === 'EADDRINUSE') {
    return new LegonetError(
      'port_taken',
      `LEGONET_HTTP_PORT: port ${port} on ${host} is taken by another program: set another one, or 0 for any`,
      'retryable',
      cause,
    );
  }
  if (error.code === 'EACCES') {
    return new LegonetError(
      'port_denied',
      `LEGONET_HTTP_PORT: no permission to listen on port ${port}: set one from 1024 on`,
      'terminal',
      cause,
    );
  }
  if (!['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN'].includes(error.code ?? '')) return error;
  return new LegonetError(
    'host_unusable',
    `LEGONET_HTTP_HOST: this machine has no address ${host}`,
    'terminal',
    cause,
  );
}

async function closing(server: Server, connections: Connections): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  connections.close();
  const over = new AbortController();
  const late = sleep(GRACE_MS, undefined, { signal: over.signal }).catch(() => {});
  await Promise.race([closed, late]);
  over.abort();
  server.closeAllConnections();
  await closed;
}
