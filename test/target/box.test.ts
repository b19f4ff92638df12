/** The contract, kept by Box. */
import { aBoxTarget } from './box-fixture.ts'
import { contract } from './contract.ts'

contract('box', () => aBoxTarget())
