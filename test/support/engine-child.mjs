// Opens the engine that it is given and says, as JSON, what it is.
import { describeEngine } from '../../dist/engine/describe.js';
import { openTensorFlow } from '../../dist/engine/tensorflow.js';

console.log(JSON.stringify(describeEngine(await openTensorFlow(process.argv[2]))));
