/** The contract, kept by Dropbox. */
import { contract } from './contract.ts'
import { aDropboxTarget } from './dropbox-fixture.ts'

contract('dropbox', () => aDropboxTarget())
