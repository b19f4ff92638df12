/** The contract, kept by Google Drive. */
import { contract } from './contract.ts'
import { aDriveTarget } from './google-drive-fixture.ts'

contract('google-drive', () => aDriveTarget())
