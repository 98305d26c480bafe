import { equalBytes, toHex } from '../bytes.js';
import { membershipSalt, sampleCommitment } from '../commitment.js';
import { IN_TOTO, verifyPayload } from '../dsse.js';
import { type Checklist, must } from './checklist.js';
import {
  adaptersRootOf,
  intentHash,
  logLeaves,
  logRoot,
  membershipOf,
  type Roots,
  retainedAbsence,
  rootOfProof,
  rootWith,
  rootWithout,
  statementOf,
} from './rebuild.js';
import type { Certificate } from './schema.js';
import type { CheckName, ReceiptOpening, Signed } from './verify.js';

type List = Checklist<CheckName>;

/** Level 1: all that follows from the certificate and the signed checkpoint. */
export function checkProofs(list: List, signed: Signed, opening: ReceiptOpening | undefined): void {
  const { certificate } = signed;
  const roots = checkSets(list, certificate);
  if (roots) checkStatement(list, signed, roots);
  const isLogged = roots !== undefined && checkLog(list, signed, roots);
  list.check('order', () => order(certificate));
  list.check('lineage', () => lineage(certificate));
  list.check('rebuilt', () => rebuilt(certificate));
  checkSuperseded(list, certificate);
  if (isLogged) checkErasure(list, certificate);
  if (opening) list.check('opening', () => opened(certificate, opening));
  else list.skip('opening', 'whether this is your sample shows only with its receipt');
}

function checkSets(list: List, certificate: Certificate): Roots | undefined {
  const { before, after, sample } = certificate;
  const value = membershipOf(certificate);
  const rootBefore = before
    ? list.value(
        'presence-before',
        () => rootOfProof(certificate, before.presence, value),
        () => {
          rootWith(certificate, before.presence, value);
          return `version ${before.version} held the sample, in ${sample.adapters.length} adapters`;
        },
      )
    : null;
  if (!before)
    list.skip('presence-before', 'no version ever held the sample, so it was ingested only');
  const retained = list.value(
    'absence-retained',
    () => rootOfProof(certificate, retainedAbsence(certificate), value),
    () => {
      rootWithout(certificate, retainedAbsence(certificate));
      return `the retained set of version ${after.version} is without the sample`;
    },
  );
  const setRoots = list.value(
    'absence-adapters',
    () => after.adapters.absence.map((proof) => rootOfProof(certificate, proof, value)),
    () => {
      for (const [i, proof] of after.adapters.absence.entries()) {
        withoutSample(certificate, proof, i);
      }
      return `the training sets of its ${sample.adapters.length} adapters are without the sample`;
    },
  );
  const adapters =
    setRoots &&
    list.value(
      'adapters',
      () => adaptersRootOf(certificate, setRoots),
      () => `weights and sets of these adapters lead to one root over all ${after.adapters.count}`,
    );
  if (!retained || !adapters || rootBefore === undefined) return undefined;
  return { before: rootBefore, retained, adapters };
}

function withoutSample(certificate: Certificate, proof: Uint8Array, which: number): void {
  try {
    rootWithout(certificate, proof);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`adapter ${certificate.sample.adapters[which]}: ${why}`);
  }
}

function checkStatement(list: List, { certificate, publicKeys }: Signed, roots: Roots): void {
  const { signature, version } = certificate.after;
  list.check('statement', () => {
    const payload = statementOf(certificate, roots, intentHash(certificate, roots));
    const signed = publicKeys.some((key) => verifyPayload(IN_TOTO, payload, signature, key));
    must(signed, `the log's key has not signed this statement of version ${version}`);
    return `the statement of version ${version} is signed, with the roots that the proofs lead to`;
  });
}

function checkLog(list: List, { certificate, size, root }: Signed, roots: Roots): boolean {
  return list.check('log', () => {
    const leaves = logLeaves(certificate, roots);
    const found = logRoot(certificate, leaves, size);
    must(equalBytes(found, root), 'an entry is not in the log as the certificate has it');
    return `all ${leaves.length} entries are in the log: ${leaves.map(({ index }) => index).join(', ')}`;
  });
}

/** The first version without the sample. */
const firstWithout = ({ applied, after }: Certificate) => applied ?? after;

function order(certificate: Certificate): string {
  const { request, ingested, applied, after, log } = certificate;
  const first = firstWithout(certificate);
  const steps = [
    ...(ingested ? [{ what: 'its ingest', index: ingested.index }] : []),
    { what: 'the deletion', index: request.index },
    { what: `train-intent of version ${first.version}`, index: first.intentIndex },
    { what: `version ${first.version}`, index: first.index },
    ...(applied
      ? [
          { what: `train-intent of version ${after.version}`, index: after.intentIndex },
          { what: `version ${after.version}`, index: after.index },
        ]
      : []),
  ];
  inOrder(steps);
  inOrder(log.rotations.map(({ index, to }) => ({ what: `the key ${to}`, index })));
  return `the log has in this order: ${steps.map(({ what }) => what).join(', ')}`;
}

type Step = { readonly what: string; readonly index: number };

function inOrder(steps: readonly Step[]): void {
  steps.forEach(({ what, index }, i) => {
    const last = steps[i - 1];
    must(!last || last.index < index, `in the log, ${what} comes before ${last?.what}`);
  });
}

function lineage(certificate: Certificate): string {
  const { before, applied, after } = certificate;
  const first = firstWithout(certificate);
  const numbers = [before, applied, after].flatMap((version) => version?.version ?? []);
  const inOrder = numbers.every((number, i) => i === 0 || (numbers[i - 1] as number) < number);
  must(inOrder, `versions are numbered in another order: ${numbers.join(', ')}`);
  if (before && !applied) {
    const named = after.parentVersion === before.version;
    must(named, `the statement names another parent than version ${before.version}`);
  }
  return before
    ? `version ${first.version}, the first without the sample, came right after the last with it`
    : `version ${first.version} is a version since the request`;
}

function rebuilt(certificate: Certificate): string {
  const { before, sample, after } = certificate;
  const first = firstWithout(certificate).version;
  sample.adapters.forEach((adapter, i) => {
    const builtIn = after.adapters.builtIn[i] as number;
    must(builtIn <= after.version, `adapter ${adapter} says it was built in a later version`);
    must(!before || builtIn >= first, `adapter ${adapter} was last built for version ${builtIn}`);
  });
  return before
    ? `each of its adapters was built for version ${first} or a later one`
    : 'no adapter had it, so none had to be built';
}

function checkSuperseded(list: List, { before, applied, after }: Certificate): void {
  if (!before || applied) {
    const why = before ? `the statement of version ${applied?.version} says it` : 'there is none';
    list.skip('superseded', `which versions with the sample are retired: ${why}`);
    return;
  }
  list.check('superseded', () => {
    const of = after.retires.find(
      ({ first, last }) => first <= before.version && before.version <= last,
    );
    must(of !== undefined, `version ${before.version}, which held the sample, is not retired`);
    return `versions ${of.first} to ${of.last} are declared retired, since ${of.retiredAt}`;
  });
}

function checkErasure(list: List, { erased, request }: Certificate): void {
  if (!erased) {
    list.skip('erasure', 'erasure is under way: the log has no record of it yet');
    return;
  }
  list.check('erasure', () => {
    must(erased.index > request.index, 'the erasure is logged before the deletion');
    const places = erased.places.map(({ what, at }) => `${what} (${at})`);
    return `the server declares erased: ${places.join(', ')}`;
  });
}

function opened({ sample, request }: Certificate, opening: ReceiptOpening): string {
  const same = equalBytes(sampleCommitment(opening), sample.commitment);
  must(same, 'the certificate is of another sample than the one you hold the receipt of');
  const salt = equalBytes(membershipSalt(opening.salt), sample.membershipSalt);
  must(salt, 'the membership is not salted as that of your sample');
  const own = opening.adapters?.join() ?? sample.adapters.join();
  must(
    own === sample.adapters.join(),
    'your sample has other adapters by the receipt; where keys are samples it may have moved since: take the newest receipt',
  );
  const named = request.kind === 'subject' || request.target === opening.id;
  must(named, `the request asked for ${request.target}`);
  return `the commitment ${toHex(sample.commitment).slice(0, 16)}… is that of your sample`;
}
