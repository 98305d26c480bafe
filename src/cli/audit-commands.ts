import { type Command, InvalidArgumentError } from 'commander';
import { type Add, example, JSON_FLAG } from './add.js';

/** What subjects and auditors run. `below` gives what adds commands below another one. */
export function addAuditCommands(add: Add, below: (parent: Command) => Add): void {
  add('verify <FILE>', 'check a certificate or a receipt', () => import('./commands/verify.js'))
    .requiredOption('--key <vkey>', "the log's verifier key, or a file that holds it")
    .option('--level <level>', 'from 0 to 3 (default: as far as what is given goes)', level)
    .option('--receipt <file>', "the sample's receipt: is the certificate of that sample?")
    .option('--log <place>', 'directory or URL of the log, for level 2')
    .option('--listing <file>', "the auditor's listing of the version, for level 2")
    .option('--earlier <file>', 'the listing of a version before; may be repeated', collect)
    .option('--data <dir>', 'what `legonet audit data` has written, for level 3')
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      `
Opens no database, and asks the network for nothing but the log at a URL. Levels: 0 the log's signature,
1 all proofs, 2 the log and all training sets computed again, 3 the model trained again.
${example(
  'verify certificate.json --key log.vkey',
  'verify certificate.json --key log.vkey --log log --data data',
)}`,
    );
  const audit = add('audit', 'what auditors need', () => import('./commands/audit.js'))
    .enablePositionalOptions()
    .option('--since <checkpoint>', 'check that the log has only grown since this file was signed')
    .option('--key <vkey>', 'a key of the log, or a file that holds it; may be repeated', collect)
    .option('--log <place>', 'directory or URL of the log (default: the one in the database)')
    .option('-o, --output <file>', 'where to write the new checkpoint (default: stdout)')
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      example(
        'audit --since checkpoint --key log.vkey --log https://example.com -o checkpoint',
        'audit export log',
        'audit data data',
      ),
    );
  addExports(below(audit));
}

function addExports(add: Add): void {
  add(
    'export <DIR>',
    'write the log as C2SP tlog-tiles',
    () => import('./commands/audit-export.js'),
  )
    .option(...JSON_FLAG)
    .addHelpText('after', example('audit export log'));
  add(
    'listing <FILE>',
    'write what the newest version is made of, by commitments',
    () => import('./commands/audit-listing.js'),
  )
    .option(...JSON_FLAG)
    .addHelpText('after', example('audit listing listing'));
  add(
    'data <DIR>',
    'write the retained samples themselves, the model and the listing',
    () => import('./commands/audit-data.js'),
  )
    .option(...JSON_FLAG)
    .addHelpText('after', example('audit data data'));
}

function level(text: string): number {
  if (/^[0-3]$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected 0, 1, 2 or 3');
}

const collect = (text: string, before: readonly string[] = []): string[] => [...before, text];
