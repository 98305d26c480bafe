import { type Add, example, JSON_FLAG } from './add.js';

/** What proves something to others, and the key that signs it. */
export function addProofCommands(add: Add): void {
  add('certificate <ID>', "a deletion's certificate", () => import('./commands/certificate.js'))
    .requiredOption('-o, --output <file>', 'where to; - for stdout')
    .option('--sample <id>', 'of which sample, where the request has deleted several')
    .option(...JSON_FLAG)
    .addHelpText('after', example('certificate case-88 -o certificate.json'));
  add('receipt <SAMPLE>', 'that a live sample is in the log', () => import('./commands/receipt.js'))
    .requiredOption('-o, --output <file>', 'where to; - for stdout')
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      `
It opens the sample's commitment: whoever has it can tell later which certificate is the sample's. It holds
the sample itself, so keep it as the sample is kept.
${example('receipt digit-0001 -o receipt.json')}`,
    );
  add('keygen [NAME]', 'a key that signs the audit log', () => import('./commands/keygen.js'))
    .option('-o, --output <file>', 'where the secret goes (default: legonet-signing-key)')
    .option('--rotate', 'put it in the place of the key in force; the log is told so')
    .option(...JSON_FLAG)
    .addHelpText('after', example('keygen example.org/legonet -o signing-key', 'keygen --rotate'));
}
