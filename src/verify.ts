/*
 * What checks the files of the audit trail, and nothing else: for browsers and other places without Node.js. It
 * makes no network call.
 */
export type { Check } from './audit/certificate/checklist.js';
export {
  openingOf,
  parseReceipt,
  type Receipt,
  verifyReceipt,
} from './audit/certificate/receipt.js';
export {
  type CheckName,
  type Verification,
  type VerifyOptions,
  verifyCertificate,
} from './audit/certificate/verify.js';
export type { Opening } from './audit/commitment.js';
