// Timing is part of what is tested; the machine is not to be shared with another test.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
