import type { Role } from '../store/lock.js';

/** What a role tells of its work. Nothing in it says of whom the work is. */
export type Observation =
  /** This process has the role, or has it no more. */
  | { readonly kind: 'role'; readonly role: Role; readonly up: boolean }
  | { readonly kind: 'failed'; readonly role: Role }
  /** A step was done, whatever came of it. */
  | { readonly kind: 'progress'; readonly role: Role }
  /** This process projects these partitions from now on, and no others. */
  | { readonly kind: 'assigned'; readonly partitions: readonly number[] }
  /** A batch is in the projections; seconds since the log took in each of its records. */
  | {
      readonly kind: 'projected';
      readonly partition: number;
      readonly seconds: readonly number[];
    }
  | { readonly kind: 'built'; readonly seconds: number; readonly adapters: number }
  /** Versions are announced; seconds since the log took in each request that they apply. */
  | {
      readonly kind: 'published';
      readonly versions: number;
      readonly deletionSeconds: readonly number[];
    };

/** Told what a role does; must not throw and takes no time. */
export type Observe = (observation: Observation) => void;

const ROLE = {
  assigned: 'project',
  projected: 'project',
  built: 'build',
  published: 'publish',
} as const;

/** The role that an observation is of. */
export function roleOf(observation: Observation): Role {
  if ('role' in observation) return observation.role;
  return ROLE[observation.kind];
}
