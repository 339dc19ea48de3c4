/** Digests and signatures; needs Node's crypto, so it is an entry of its own. */
export { digestFromBytes, digestOfBytes, digestOfDocument, digestToBytes } from './digest/digest.ts';
export { generateSigningKey, keyIdOf, signDocument, type SigningKey, verifyDocument } from './signing/dsse.ts';
export { isSignedByUser, signWithUserKey, userKeyOfSeed } from './signing/nkey.ts';
