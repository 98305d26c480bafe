import { LegonetError } from '../errors.js';

/** Why a record is no event. The codes are stable. */
export type EventErrorCode =
  /** The value is larger than `LIMITS.recordBytes`. */
  | 'oversize'
  /** The value is not JSON in UTF-8. */
  | 'not_json'
  /** The content type is one that is not read. */
  | 'content_mode'
  /** A CloudEvents attribute is missing or malformed. */
  | 'not_cloudevent'
  | 'unsupported_specversion'
  /** No type of sample event. */
  | 'unknown_type'
  /** `data` does not have the shape that its type has. */
  | 'invalid_data'
  /** An encoding holds NaN or an infinity. */
  | 'not_finite'
  /** A time is not RFC 3339 or not in the years 0 to 9999. */
  | 'invalid_time'
  /** Content without a record key, or a null value without one. */
  | 'missing_key'
  /** A null value under a key that is no id. */
  | 'invalid_key'
  /** Content under a record key that is not its sample's id: compaction could never erase it. */
  | 'key_mismatch'
  /** The header in which Legonet remembers a sample's state is not one that it has written. */
  | 'invalid_state';

/** The message names fields and what was expected of them, never what they held. */
export class EventError extends LegonetError {
  constructor(
    override readonly code: EventErrorCode,
    message: string,
  ) {
    super(code, message);
  }
}
