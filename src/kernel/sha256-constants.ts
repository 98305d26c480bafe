/**
 * The 64 words of FIPS 180-4, section 4.2.2 (the first 32 bits of the fractions of the cube roots of the
 * first 64 primes), and the eight of section 5.3.3 (of the square roots of the first eight).
 */
export function sha256Constants(): Uint32Array {
  const primes: bigint[] = [];
  for (let n = 2n; primes.length < 64; n++) {
    if (primes.every((prime) => n % prime !== 0n)) primes.push(n);
  }
  const words = [
    ...primes.map((prime) => rootOf(prime << 96n, 3)),
    ...primes.slice(0, 8).map((prime) => rootOf(prime << 64n, 2)),
  ];
  return Uint32Array.from(words, (word) => Number(word & 0xffff_ffffn));
}

/** The whole part of the root. */
function rootOf(value: bigint, degree: number): bigint {
  let root = 0n;
  for (let bit = 1n << 40n; bit > 0n; bit >>= 1n) {
    if ((root | bit) ** BigInt(degree) <= value) root |= bit;
  }
  return root;
}
