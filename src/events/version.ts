/** What orders the contents that a sample was ever given. */
export type Version = {
  /** Event time, microseconds since 1970. */
  readonly time: bigint;
  readonly eventId: string;
  readonly source: string;
  /** Of the content, hex: versions with the same digest have the same content. */
  readonly digest: string;
};

/**
 * A total order, by time, then event id, source and digest in the order of their UTF-8 bytes, as
 * Postgres has them under COLLATE "C". Negative if `a` is less, 0 only if they are the same.
 */
export function compareVersions(a: Version, b: Version): number {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1;
  return (
    compareBytes(a.eventId, b.eventId) ||
    compareBytes(a.source, b.source) ||
    compareBytes(a.digest, b.digest)
  );
}

function compareBytes(a: string, b: string): number {
  // Not `<`: it compares UTF-16 units, and those order U+FF5E after U+1F600.
  return a === b ? 0 : Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));
}
