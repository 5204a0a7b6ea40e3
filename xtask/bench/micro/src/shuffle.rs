//! An order that has nothing to do with the places in memory.

/// Fisher and Yates, with Marsaglia's xorshift; the same order at each call.
pub fn shuffle<T>(values: &mut [T]) {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for last in (1..values.len()).rev() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        values.swap(last, (random % (last as u64 + 1)) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_and_little_stays_beside_its_neighbour() {
        let mut values: Vec<usize> = (0..1000).collect();
        shuffle(&mut values);
        let neighbours = values.windows(2).filter(|pair| pair[0] + 1 == pair[1]).count();
        assert!(neighbours < 10, "{neighbours}");
        values.sort_unstable();
        assert!(values.into_iter().eq(0..1000));
    }
}
