/**
 * A record's key as Postgres text: NUL and halves of surrogate pairs cannot be stored. A control
 * character stands for them, which no id has either: the key must not become that of another sample.
 */
export const keyText = (key: string | null): string | null =>
  key === null ? null : key.replace(/[\0\p{Surrogate}]/gu, '\u0001');
