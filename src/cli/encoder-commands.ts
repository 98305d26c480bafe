import type { Command } from 'commander';
import { type Add, example, JSON_FLAG } from './add.js';

/** What a model with a tfjs encoder needs. `below` gives what adds commands below another one. */
export function addEncoderCommands(program: Command, below: (parent: Command) => Add): void {
  const add = below(program.command('encoder').description('what a tfjs encoder needs'));
  add(
    'digest <model.json>',
    'what MODEL.json says of a TensorFlow.js model',
    () => import('./commands/encoder-digest.js'),
  )
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      `
The digest is the SHA-256 of model.json and its weight files, one after another in its order.
${example('encoder digest mobilenet/model.json')}`,
    );
}
