import type { Consumption } from '../event-log.js';
import type { KafkaLogLine } from './connection.js';
import type { Ranges } from './ranges.js';

export type ConsumeOptions = Omit<Consumption, 'group' | 'start'> & {
  readonly topic: string;
  /** Kafka's consumer group. */
  readonly groupId: string;
  /** Without a sign of life for so long it loses its partitions to the group's other members. */
  readonly sessionMs: number;
  /** As in `Consumption`; null leaves the partition out. */
  start(partition: number): Promise<bigint | null>;
  ends(): Promise<Ranges>;
  /**
   * Told the next position whenever a batch is done, also where compaction left no record; returns whether
   * to go on with the partition.
   */
  onProgress?(partition: number, next: bigint): boolean;
  /** Whether ordinary tools are to see in Kafka how far the group has come. */
  readonly commits: boolean;
  onLog(line: KafkaLogLine): void;
};
