/** The contract, kept by a directory. */
import { contract } from './contract.ts'
import { aDirectory } from './directory-fixture.ts'

contract('directory', aDirectory)
