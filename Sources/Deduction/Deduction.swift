// Deduction
