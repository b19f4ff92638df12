/** The contract, kept by OneDrive of each kind, and in the folder of an app that sees nothing else. */
import { contract } from './contract.ts'
import { aOneDriveTarget } from './onedrive-fixture.ts'

contract('onedrive, personal', () => aOneDriveTarget())
contract('onedrive, business', () => aOneDriveTarget({ driveType: 'business' }))
contract('onedrive, an app’s folder', () =>
  aOneDriveTarget({ drive: 'app-folder', place: '', scopes: ['Files.ReadWrite.AppFolder'] }),
)
