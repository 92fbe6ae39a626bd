//! Keys that were made by certain chips (smart cards and TPMs until 2017, CVE-2017-15361, "ROCA"): their private half can be
//! computed from the public one. Their primes are a multiple of a known number plus a power of 65537, so that the modulus is a
//! power of 65537 modulo every small prime, which it is for a sound key only by a chance of one in 2²⁷.

/// Up to here a product of small primes takes part in every such key of 2048 bits or more.
const LAST_PRIME: u32 = 167;

const GENERATOR: u32 = 65537;

/// Whether `modulus`, big endian, has the mark of such a chip.
pub(crate) fn has_mark(modulus: &[u8]) -> bool {
    (3..=LAST_PRIME)
        .step_by(2)
        .filter(|&number| is_prime(number))
        .all(|prime| is_power_of_generator(remainder(modulus, prime), prime))
}

fn remainder(magnitude: &[u8], divisor: u32) -> u32 {
    magnitude.iter().fold(0, |remainder, &byte| {
        (remainder << 8 | u32::from(byte)) % divisor
    })
}

fn is_power_of_generator(number: u32, prime: u32) -> bool {
    let mut power = 1;
    loop {
        if power == number {
            return true;
        }
        power = power * (GENERATOR % prime) % prime;
        if power == 1 {
            return false;
        }
    }
}

fn is_prime(odd: u32) -> bool {
    (3..)
        .step_by(2)
        .take_while(|factor| factor * factor <= odd)
        .all(|factor| !odd.is_multiple_of(factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_65537_are_told_from_other_numbers() {
        for prime in [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97] {
            let mut power = 1;
            for _ in 0..200 {
                assert!(is_power_of_generator(power, prime));
                power = power * (GENERATOR % prime) % prime;
            }
            let others = (1..prime).filter(|&number| !is_power_of_generator(number, prime));
            assert!(others.count() > 0, "{prime}");
        }
    }

    #[test]
    fn a_multiple_of_a_small_prime_has_no_mark() {
        assert!(!has_mark(&[0]));
        assert!(!has_mark(&[11 * 13]));
    }

    #[test]
    fn a_power_of_65537_itself_has_the_mark() {
        assert!(has_mark(&65537_u32.to_be_bytes()));
        assert!(has_mark(&(65537_u64 * 65537).to_be_bytes()));
        assert!(!has_mark(&(65537_u64 * 65537 + 2).to_be_bytes()));
    }
}
