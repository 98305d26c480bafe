import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** Where a server listens. */
export type Address = { readonly host: string; readonly port: number };

/** How many connections there were, were broken at once or after half, and parts that were held back. */
export type Meddled = { connections: number; cut: number; halved: number; delayed: number };

/** A proxy before any server that speaks TCP, which breaks connections and holds bytes back. */
export type TcpProxy = {
  readonly host: string;
  readonly port: number;
  readonly meddled: Readonly<Meddled>;
  /** Where the server is, if it was not known at the start. */
  upstream: Address | undefined;
  /** How many connections are open. */
  open(): number;
  /** Breaks every connection, or the one of that number, oldest first. */
  cut(one?: number): void;
  /** Of what comes next, on whichever connection, or after so many more, half is passed on; then that connection breaks. */
  halveNext(after?: number): void;
  /** Holds back for so long whatever comes from now on; 0: nothing. Its order stays as it is. */
  delay(milliseconds: number): void;
  close(): Promise<void>;
};

type Pair = { readonly near: Socket; readonly far: Socket };

export async function startTcpProxy(upstream?: Address): Promise<TcpProxy> {
  const meddled: Meddled = { connections: 0, cut: 0, halved: 0, delayed: 0 };
  const pairs = new Set<Pair>();
  let halving = Number.POSITIVE_INFINITY;
  let delayMs = 0;

  const cut = (pair: Pair) => {
    if (!pairs.delete(pair)) return;
    meddled.cut++;
    end(pair);
  };
  const pass = async (from: Socket, to: Socket, pair: Pair) => {
    // What is taken from a socket while its bytes are held back stays in the socket: so order is kept.
    for await (const bytes of from as AsyncIterable<Buffer>) {
      if (delayMs > 0) {
        meddled.delayed++;
        await new Promise((resolve) => setTimeout(resolve, delayMs));
      }
      if (!pairs.has(pair)) return;
      if (bytes.length > 1 && halving-- === 0) {
        halving = Number.POSITIVE_INFINITY;
        meddled.halved++;
        pairs.delete(pair);
        to.write(bytes.subarray(0, bytes.length >> 1));
        to.destroySoon();
        return void from.resetAndDestroy();
      }
      if (!to.write(bytes)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
    }
    to.end();
  };
  const server = createServer({ allowHalfOpen: true }, (near) => {
    if (!proxy.upstream) return void near.destroy();
    const far = connect({ ...proxy.upstream, allowHalfOpen: true });
    const pair = { near, far };
    meddled.connections++;
    pairs.add(pair);
    const over = () => {
      pairs.delete(pair);
      end(pair);
    };
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      socket.on('error', over);
    }
    Promise.all([pass(near, far, pair), pass(far, near, pair)]).then(over, over);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const proxy: TcpProxy = {
    host: '127.0.0.1',
    port: typeof address === 'object' && address ? address.port : 0,
    meddled,
    upstream,
    open: () => pairs.size,
    cut: (one) => {
      const all = [...pairs];
      for (const pair of one === undefined ? all : all.slice(one, one + 1)) cut(pair);
    },
    halveNext: (after = 0) => {
      halving = after;
    },
    delay: (milliseconds) => {
      delayMs = milliseconds;
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const pair of pairs) end(pair);
      await closed;
    },
  };
  return proxy;
}

/** As a network does that breaks: neither side is told that the other has finished. */
function end({ near, far }: Pair): void {
  near.resetAndDestroy();
  far.resetAndDestroy();
}
