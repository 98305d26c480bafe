import { type Command, InvalidArgumentError } from 'commander';
import { type Add, example, JSON_FLAG } from './add.js';

/** What makes an encoder ready for MODEL.json. `below` gives what adds commands below another one. */
export function addEncoderCommands(program: Command, below: (parent: Command) => Add): void {
  const add = below(program.command('encoder').description('prepare an encoder for MODEL.json'));
  add(
    'fit-projection <REFERENCE>',
    'principal components of public encodings, as a fixed projection',
    () => import('./commands/encoder-fit-projection.js'),
  )
    .requiredOption('--components <n>', 'dimension of the int8 encodings', components)
    .requiredOption('-o, --output <file>', 'where the matrix goes, a .npy')
    .option('--transform <name>', '`sqrt`: as encoder.transform is going to be (default: none)')
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      `
REFERENCE is a .npy of encodings that no deletion will ever concern: they become part of the model.
Prints the lines for MODEL.json.
${example('encoder fit-projection reference.npy --components 256 --transform sqrt -o projection.npy')}`,
    );
}

function components(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected a whole number from 1');
}
