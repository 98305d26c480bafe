/*
 * Completes @tensorflow/tfjs-node (Linux x86-64) with package registries alone: TensorFlow's library is that
 * of PyPI's wheel, the binding is compiled here. The package's own installer downloads both from elsewhere.
 * What was fetched and compiled is kept in the user's cache; run again, it does what is missing.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

const TENSORFLOW = '2.13.1';
const WHEEL = `tensorflow-cpu==${TENSORFLOW}`;
/** Of the wheel for CPython 3.11, 187 MB; what is taken out of it is the same in all. */
const SHA256 = '87be6e61314b2c0fa062f71e26e41d6a17e162ffe4da72c820fe8f1fc94d97fe';
const TARGET = ['--platform', 'manylinux2014_x86_64', '--implementation', 'cp'];
const PYTHON = ['--python-version', '3.11', '--abi', 'cp311'];
/** The highest that tfjs-node knows; every Node.js since 16 has it. */
const NAPI = 8;
const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];

const here = import.meta.dirname;
const root = join(here, '../..');
const modules = join(root, 'node_modules/@tensorflow/tfjs-node');
const cache = join(
  process.env.XDG_CACHE_HOME || join(homedir(), '.cache'),
  `legonet/tensorflow/${TENSORFLOW}`,
);
const compiler = process.env.CXX || 'g++';

class Failure extends Error {}

function fail(message) {
  throw new Failure(message);
}

function run(command, args, options = {}) {
  try {
    execFileSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options });
  } catch (error) {
    fail(`${command} failed (${error.code ?? `exit ${error.status}`}): see above`);
  }
}

function requireTool(what, remedy, command, ...args) {
  if (spawnSync(command, args, { stdio: 'ignore' }).status === 0) return;
  fail(`${what} is missing. Install it (${remedy}), or set LEGONET_ENGINE=wasm and do without.`);
}

/** Node's C headers, which are installed beside it. */
function nodeHeaders() {
  const prefixes = [process.env.npm_config_nodedir, dirname(dirname(process.execPath))];
  const found = prefixes
    .filter((prefix) => prefix)
    .map((prefix) => join(prefix, 'include/node'))
    .find((folder) => existsSync(join(folder, 'node_api.h')));
  return (
    found ??
    fail(
      `the C headers of Node.js (node_api.h) are not beside ${process.execPath}. Install them ` +
        '(Debian: libnode-dev), or name the folder that has include/node: npm_config_nodedir=FOLDER',
    )
  );
}

/** Libraries and headers into the cache, whole or not at all. */
function fetchLibraries() {
  if (existsSync(join(cache, '.complete'))) return;
  requireTool('Python 3 with pip', 'Debian: python3-pip', 'python3', '-m', 'pip', '--version');
  console.log(`Fetching ${WHEEL} from PyPI: 187 MB, 560 MB unpacked in ${cache}`);
  mkdirSync(dirname(cache), { recursive: true });
  const fetched = mkdtempSync(`${cache}-`);
  try {
    fetchInto(fetched);
    rmSync(cache, { recursive: true, force: true });
    renameSync(fetched, cache);
  } finally {
    rmSync(fetched, { recursive: true, force: true });
  }
}

function fetchInto(folder) {
  const wheels = join(folder, 'wheels');
  mkdirSync(wheels);
  writeFileSync(join(wheels, 'requirements.txt'), `${WHEEL} --hash=sha256:${SHA256}\n`);
  const quiet = ['--quiet', '--no-input', '--no-cache-dir', '--disable-pip-version-check'];
  const pinned = ['--no-deps', '--require-hashes', '--only-binary=:all:', ...TARGET, ...PYTHON];
  run('python3', ['-m', 'pip', 'download', ...quiet, ...pinned, '-r', 'requirements.txt'], {
    cwd: wheels,
  });
  const wheel = readdirSync(wheels).find((name) => name.endsWith('.whl'));
  run('python3', [join(here, 'unpack.py'), join(wheels, wheel), folder]);
  rmSync(wheels, { recursive: true });
  writeFileSync(join(folder, '.complete'), '');
}

/** The package without what its installer would add: npm drops it where that installer was run and failed. */
function fetchPackage() {
  if (existsSync(join(modules, 'package.json'))) return;
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
  run('npm', ['install', '--no-save', '--ignore-scripts', ...quiet], { cwd: root });
  if (existsSync(join(modules, 'package.json'))) return;
  fail('npm left @tensorflow/tfjs-node out: is it run with --omit=optional?');
}

/** The binding, as the package's binding.gyp builds it: on libraries that lie in its folder deps/lib. */
function compileBinding() {
  requireTool('a C++ compiler', 'Debian: g++', compiler, '--version');
  const out = join(modules, `lib/napi-v${NAPI}/tfjs_binding.node`);
  mkdirSync(dirname(out), { recursive: true });
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) =>
    join(modules, 'binding', name),
  );
  const includes = [modules, join(cache, 'include'), nodeHeaders()].map((path) => `-I${path}`);
  const flags = ['-std=c++17', '-O3', '-fPIC', '-shared', '-w', `-DNAPI_VERSION=${NAPI}`];
  const links = LIBRARIES.map((name) => `-l:${name}`);
  const linking = [`-L${join(cache, 'lib')}`, ...links, '-Wl,-rpath,$ORIGIN/../../deps/lib'];
  run(compiler, [...flags, ...includes, ...sources, ...linking, '-o', out]);
}

/** Hard links where the file system allows: the libraries are large. */
function linkLibraries() {
  const folder = join(modules, 'deps/lib');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of LIBRARIES) {
    const [from, to] = [join(cache, 'lib', name), join(folder, name)];
    try {
      linkSync(from, to);
    } catch {
      copyFileSync(from, to, constants.COPYFILE_FICLONE);
    }
  }
}

const PROOF = `
const tf = require('@tensorflow/tfjs-node');
const product = tf.matMul([[1, 2], [3, 4]], [[5, 6], [7, 8]]).dataSync().join();
if (tf.getBackend() !== 'tensorflow' || product !== '19,22,43,50') throw new Error(product);
console.log('@tensorflow/tfjs-node', tf.version['tfjs-node'], 'on TensorFlow', tf.backend().binding.TF_Version);`;

/** What runs, in words; undefined if it does not. */
function prove(stdio) {
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' };
  const options = { cwd: root, env, encoding: 'utf8', stdio: ['ignore', 'pipe', stdio] };
  const { status, stdout } = spawnSync(process.execPath, ['-e', PROOF], options);
  return status === 0 ? stdout.trim() : undefined;
}

function install() {
  const installed = prove('ignore');
  if (installed !== undefined) return installed;
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    fail(
      `this recipe is for Linux on x86-64, not ${process.platform} on ${process.arch}. Try the package's own ` +
        'installer, `npm rebuild @tensorflow/tfjs-node`, or set LEGONET_ENGINE=wasm.',
    );
  }
  fetchLibraries();
  fetchPackage();
  linkLibraries();
  compileBinding();
  return prove('inherit') ?? fail('the binding was built, and does not run: see above');
}

try {
  console.log(`Installed: ${install()}.`);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.error(`install:tensorflow: ${error.message}`);
  process.exitCode = 1;
}
