// Spinning guests on a small machine would starve each other, and the leak test counts what the process holds.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
