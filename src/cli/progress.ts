import { SingleBar } from 'cli-progress';

export type Progress = { update(value: number): void; stop(): void };

export type ProgressOptions = {
  /** What is counted; `bytes` is shown in kB or MB. */
  readonly unit: string;
  /** Shows nothing: for --json and --quiet. */
  readonly quiet: boolean;
  readonly stream?: NodeJS.WritableStream & { readonly isTTY?: boolean };
};

/** Share of the total after which a stream that is no terminal gets another line. */
const STEP = 0.25;

/** A progress bar on stderr, or a plain line now and then where there is no terminal. */
export function createProgress(label: string, total: number, options: ProgressOptions): Progress {
  const { quiet, stream = process.stderr } = options;
  if (quiet) return { update: () => {}, stop: () => {} };
  const show = (value: number) => describe(value, total, options.unit);
  if (!stream.isTTY) return createLines(label, total, show, stream);
  const bar = new SingleBar({
    stream,
    format: `${label} {bar} {percentage}% | {shown} | {eta_formatted} left`,
    barCompleteChar: '#',
    barIncompleteChar: '-',
    hideCursor: true,
    // The command owns the signals: it stops the bar when it is told to end.
    gracefulExit: false,
  });
  bar.start(total, 0, { shown: show(0) });
  return {
    update: (value) => bar.update(value, { shown: show(value) }),
    stop: () => bar.stop(),
  };
}

function createLines(
  label: string,
  total: number,
  show: (value: number) => string,
  stream: NodeJS.WritableStream,
): Progress {
  let next = total * STEP;
  return {
    update(value) {
      if (value < next || total <= 0) return;
      while (next <= value) next += total * STEP;
      const percent = Math.floor((value / total) * 100);
      stream.write(`${label}: ${show(value)} (${percent}%)\n`);
    },
    stop: () => {},
  };
}

/** `value` of `total`, in the unit that suits the total. */
function describe(value: number, total: number, unit: string): string {
  if (unit !== 'bytes')
    return `${value.toLocaleString('en')} of ${total.toLocaleString('en')} ${unit}`;
  const [scale, name] = total < 1e6 ? [1e3, 'kB'] : [1e6, 'MB'];
  return `${(value / scale).toFixed(1)} of ${(total / scale).toFixed(1)} ${name}`;
}
