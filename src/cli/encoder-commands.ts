import { type Command, InvalidArgumentError } from 'commander';
import { type Add, example, JSON_FLAG } from './add.js';

/** What makes an encoder ready for MODEL.json. `below` gives what adds commands below another one. */
export function addEncoderCommands(program: Command, below: (parent: Command) => Add): void {
  const add = below(program.command('encoder').description('prepare an encoder for MODEL.json'));
  add(
    'digest <model.json>',
    'what MODEL.json says of the files of a TensorFlow.js model',
    () => import('./commands/encoder-digest.js'),
  )
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      `
The digest is the SHA-256 of model.json and its weight files, one after another in its order.
${example('encoder digest mobilenet/model.json')}`,
    );
  add(
    'encode <MODEL.json> <PATH>',
    'what the encoder makes of public images or texts, as a .npy',
    () => import('./commands/encoder-encode.js'),
  )
    .requiredOption('-o, --output <file>', 'where the encodings go, a .npy')
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      `
For \`keys\` of the kind reference, and for fit-projection; until there is the file, MODEL.json may have
random keys. PATH as of \`predict\`. Prints the lines for MODEL.json.
${example('encoder encode MODEL.json public -o reference.npy')}`,
    );
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
