import type { Consumer } from 'kafkajs';

/** A partition that is assigned to us; another object each time it is. */
export type Place = {
  readonly partition: number;
  /** The next position. */
  cursor: bigint;
  /** What Kafka was told last. */
  committed: bigint;
};

/** Tells Kafka how far we are, for ordinary tools only: nothing of ours ever reads it. */
export async function commitPlaces(
  consumer: Consumer,
  topic: string,
  places: readonly Place[],
): Promise<void> {
  const moved = places.filter(({ cursor, committed }) => cursor !== committed);
  if (moved.length === 0) return;
  for (const place of moved) place.committed = place.cursor;
  const offsets = moved.map(({ partition, cursor }) => {
    return { topic, partition, offset: String(cursor) };
  });
  await consumer.commitOffsets(offsets).catch(() => {});
}
