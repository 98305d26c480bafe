/** One line of a verification. */
export type Check = {
  /** Stable: programs may match on it. */
  readonly name: string;
  readonly outcome: 'ok' | 'failed' | 'not checked';
  /** A sentence for a person. */
  readonly detail: string;
};

/** Runs checks, and has a line for each; one that fails is a line too, and is not thrown further. */
export type Checklist<Name extends string> = {
  /**
   * `compute` gives what later checks need; `holds` says what of it holds. Whatever they throw is why the
   * check fails, and then the result is undefined.
   */
  readonly value: <Result>(
    name: Name,
    compute: () => Result,
    holds: (result: Result) => string,
  ) => Result | undefined;
  /** Whether it held, or was left out. */
  readonly check: (name: Name, holds: () => string) => boolean;
  readonly skip: (name: Name, why: string) => void;
  readonly failed: () => boolean;
  /** A line for each of these checks; those that were not come to say why. */
  readonly inOrder: (names: readonly Name[], why: string) => readonly Check[];
};

/** `without`: checks that are left out, so that tests see what each is there for. */
export function checklist<Name extends string>(without: ReadonlySet<Name>): Checklist<Name> {
  const checks: Check[] = [];
  const value: Checklist<Name>['value'] = (name, compute, holds) => {
    try {
      const result = compute();
      if (without.has(name)) checks.push({ name, outcome: 'not checked', detail: 'left out' });
      else checks.push({ name, outcome: 'ok', detail: holds(result) });
      return result;
    } catch (error) {
      checks.push({ name, outcome: 'failed', detail: reason(error) });
      return undefined;
    }
  };
  return {
    value,
    check: (name, holds) => value(name, () => null, holds) === null,
    skip: (name, why) => void checks.push({ name, outcome: 'not checked', detail: why }),
    failed: () => checks.some(({ outcome }) => outcome === 'failed'),
    inOrder: (names, why) =>
      names.map(
        (name): Check =>
          checks.find((check) => check.name === name) ?? {
            name,
            outcome: 'not checked',
            detail: why,
          },
      ),
  };
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Throws the reason why a check fails. */
export function must(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}
