import { connect } from '#src/store/database.js';
import type { Channel } from '#src/store/listen.js';
import { type Environment, type Running, startLegonet } from './cli.js';

const CHANNELS = [
  'legonet_projected',
  'legonet_build',
  'legonet_outbox',
  'legonet_published',
] as const satisfies readonly Channel[];

/** A notification between processes, each at a turning point of their work, or a line in a log of theirs. */
export type Happening = (typeof CHANNELS)[number] | 'line';

/** When any of these have happened so many times, counted from now, and a moment later. */
export type Moment = {
  readonly of: readonly Happening[];
  readonly count: number;
  /** Between two turning points too things are half done. */
  readonly laterMs: number;
};

/** A line of a process's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly event?: string };

/** Hears what happens in a database and in the logs of processes, as it happens. */
export class Ear {
  readonly #listeners = new Set<(what: Happening) => void>();
  #close = async () => {};

  static async open(url: string): Promise<Ear> {
    const ear = new Ear();
    const client = await connect(url);
    client.on('notification', ({ channel }) => ear.hear(channel as Happening));
    await client.query(CHANNELS.map((channel) => `LISTEN ${channel}`).join(';'));
    ear.#close = () => client.end();
    return ear;
  }

  hear(what: Happening): void {
    for (const listener of this.#listeners) listener(what);
  }

  /** Calls `act` in that moment, once; returns how to forget about it. */
  at({ of, count, laterMs }: Moment, act: () => void): () => void {
    let left = count;
    let timer: NodeJS.Timeout | undefined;
    const listener = (what: Happening) => {
      if (!of.includes(what)) return;
      left -= 1;
      if (left === 0) timer = setTimeout(act, laterMs);
    };
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      clearTimeout(timer);
    };
  }

  close(): Promise<void> {
    return this.#close();
  }
}

/** Places, in each of which one `legonet start` after the other is at work. */
export class Places {
  readonly lines: LogLine[] = [];
  readonly #environment: Environment;
  readonly #ear: Ear;
  readonly #running: Running[] = [];

  constructor(environment: Environment, ear: Ear) {
    this.#environment = environment;
    this.#ear = ear;
  }

  start(place: number): void {
    const running = startLegonet(['start'], this.#environment);
    this.#running[place] = running;
    let rest = '';
    running.process.stderr?.on('data', (text: string) => {
      const parts = `${rest}${text}`.split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts) {
        this.lines.push(part.startsWith('{') ? JSON.parse(part) : { text: part });
        this.#ear.hear('line');
      }
    });
  }

  /** At once. False if there was nothing alive to kill. */
  kill(place: number): boolean {
    return this.#running[place]?.process.kill('SIGKILL') ?? false;
  }

  /** Puts a successor in the place of one that was killed. */
  async replace(place: number): Promise<void> {
    const ended = await this.#running[place]?.ended;
    if (ended?.code !== null) throw new Error(`it ended by itself: ${ended?.stderr}`);
    this.start(place);
  }

  /** Ends all of them in order; their exit codes. */
  async stop(): Promise<(number | null)[]> {
    for (const { process } of this.#running) process.kill('SIGTERM');
    const ends = await Promise.all(this.#running.map(({ ended }) => ended));
    return ends.map(({ code }) => code);
  }

  async close(): Promise<void> {
    for (const { process, ended } of this.#running) {
      if (process.exitCode === null && process.signalCode === null) process.kill('SIGKILL');
      await ended;
    }
  }
}
