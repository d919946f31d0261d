using System.Runtime.CompilerServices;

// Every P/Invoke is blittable: the signature is the C prototype, with no hidden conversions.
[assembly: DisableRuntimeMarshalling]
